# SPDX-License-Identifier: GPL-2.0
"""rustfmt with the kernel's rules, over all hand-written Rust."""

import os
import re
import subprocess

DIFF = re.compile(r"Diff in (\S+?):(\d+):?")


def check(tree):
    config = tree.need_kdir() / ".rustfmt.toml"
    files = tree.rust()
    if not files:
        return []
    run = subprocess.run(
        ["rustfmt", "--check", "--edition", "2021", "--config-path", str(config), *files],
        cwd=tree.root, capture_output=True, text=True, check=False)
    diffs = {(os.path.relpath(m[1], tree.root), int(m[2])) for m in DIFF.finditer(run.stdout)}
    findings = [f"{path}:{line}: not as rustfmt writes it" for path, line in sorted(diffs)]
    if run.returncode and not findings:
        findings = (run.stderr or run.stdout).splitlines()[-20:] or ["rustfmt failed"]
    return findings


SAMPLES = [
    ("wrong white space", {"rust/a.rs": "fn f( ) {}\n"}, "rust/a.rs:1: not as"),
    ("in a module below", {"rust/lib.rs": "mod b;\n", "rust/b.rs": "fn  b() {}\n"}, "rust/b.rs:1"),
    ("what cannot be parsed", {"rust/a.rs": "fn f( {\n"}, ""),
    ("clean", {"rust/a.rs": "fn f() {}\n", "rust/a_generated.rs": "fn  f( ) {}"}, None),
]
