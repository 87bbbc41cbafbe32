# SPDX-License-Identifier: GPL-2.0
"""The checkout that is looked at, and the lists of exceptions beside the checks."""

import os
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent.parent

# Not ours to judge: made by tools, or kept by them.
SKIPPED_DIRS = {"target", "out", "doc", "corpus", "artifacts", "vendor", "__pycache__"}
TOPS = ("rust", "tools", "selftests", "docs", ".ci")


class Skip(Exception):
    """A check that cannot run here; the text says why."""


class Tree:
    """A checkout (or a sample of one, in the self-test)."""

    def __init__(self, root, kdir=None, lists=HERE):
        self.root = pathlib.Path(root)
        self.kdir = pathlib.Path(kdir) if kdir else None
        self.lists = pathlib.Path(lists)

    def files(self, *tops, name=r""):
        """Paths below `tops` (all hand-written ones by default) whose name matches."""
        found = []
        for top in tops or TOPS:
            for at, dirs, names in os.walk(self.root / top):
                dirs[:] = [d for d in dirs if d not in SKIPPED_DIRS and not d.startswith(".")]
                found += [os.path.relpath(os.path.join(at, n), self.root) for n in names]
        if not tops:
            found += [p.name for p in self.root.iterdir() if p.is_file()]
        return sorted(f for f in set(found)
                      if re.search(name, f) and not f.endswith(("_generated.rs", ".mod.c"))
                      and not os.path.basename(f).startswith("..")
                      and not (self.root / f).is_symlink())

    def rust(self, *tops):
        return self.files(*tops, name=r"(^|/)[^./][^/]*\.rs$")

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def need_kdir(self):
        if not self.kdir or not (self.kdir / "scripts").is_dir():
            raise Skip("KDIR names no prepared kernel tree")
        return self.kdir


class Allowed:
    """A list of exceptions: lines `what | where or which | reason`.

    An entry without a reason and one that nothing needs any more are findings,
    so that a list cannot rot.
    """

    def __init__(self, tree, name, fields=3):
        self.name, self.entries, self.used, self.bad = name, [], set(), []
        path = tree.lists / name
        for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = [p.strip() for p in line.split("|", fields - 1)]
            if len(parts) != fields or not all(parts):
                self.bad.append(f"{name}:{number}: not `{' | '.join(['field'] * (fields - 1))} | reason`")
            else:
                self.entries.append((number, parts[:-1]))

    def covers(self, matches):
        """Says whether `matches` accepts the fields of some entry."""
        hits = [number for number, fields in self.entries if matches(*fields)]
        self.used.update(hits)
        return bool(hits)

    def findings(self):
        return self.bad + [f"{self.name}:{n}: nothing needs this entry: {' | '.join(f)}"
                           for n, f in self.entries if n not in self.used]
