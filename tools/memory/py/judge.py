# SPDX-License-Identifier: GPL-2.0
"""Compares what was found in memory with our module and with the C module (host.py).

usage: judge.py FOLDER

FOLDER has "ours/found" and "c/found". Writes tools/memory/LAST-RUN and fails if ours leaves what
it must not.
"""

import collections
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parents[1]
STEPS = ["alive", "idle", "suspend", "key-change", "peer-removal", "removal", "unload"]
# After these the sessions are gone. Another private key only ends their sending, as in C.
ENDED = ["idle", "suspend", "peer-removal", "removal", "unload"]


def read(path):
    """Kinds by step, each with the numbers of its handshakes; and whether a held key was found."""
    found, held, searched = {}, False, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        _, verb, *rest = line.split()
        if verb == "sum":
            step, kind, number, _ = rest
            found.setdefault(step, collections.defaultdict(set))[kind].add(number)
        elif verb == "result" and rest[0] == "hold":
            held = rest[1] == "1"
        elif verb == "result":
            found.setdefault(rest[0], collections.defaultdict(set))
            searched = int(rest[1].removesuffix("-halves"))
    return found, held, searched


def faults(ours, theirs):
    """Sentences about what ours leaves and should not, or about a search that says nothing."""
    for which, (found, held, _) in (("ours", ours), ("c", theirs)):
        yield from (f"{which}: no search after {step}" for step in STEPS if step not in found)
        if not held:
            yield f"{which}: the ephemeral key of a handshake under way was not found"
        for kind in ("session", "static-static"):
            if kind not in found.get("alive", {}):
                yield f"{which}: no {kind} was found while it was in use"
    for step in STEPS[1:]:
        mine, their = ours[0].get(step, {}), theirs[0].get(step, {})
        for kind in mine:
            if kind == "ephemeral" or (kind == "session" and step in ENDED):
                yield f"ours: {kind} is found after {step}"
            elif kind not in their:
                yield f"ours: {kind} is found after {step}, but not with C"
    if "0" in ours[0].get("key-change", {}).get("static-static", ()):
        yield "ours: the product of the static keys is found after one of them was changed"


def report(ours, theirs):
    """The lines of LAST-RUN."""
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    changed = ", with changes" if git("status", "--porcelain", "--", ":/rust", ":/tools/memory") else ""
    yield "# SPDX-License-Identifier: GPL-2.0"
    yield "# The last run of tools/memory/run: kinds of secrets found in the machine's memory."
    yield ""
    yield f"ended     {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
    yield f"commit    {git('rev-parse', 'HEAD')}{changed}"
    yield f"searched  {ours[2]} halves of 16 bytes (ours), {theirs[2]} (C)"
    yield ""
    yield f"{'after':14}{'ours':36}C"
    for step in STEPS:
        mine, their = (", ".join(sorted(side[0].get(step, {}))) or "nothing" for side in (ours, theirs))
        yield f"{step:14}{mine:36}{their}"


def main(folder):
    ours, theirs = (read(folder / which / "found") for which in ("ours", "c"))
    lines = list(report(ours, theirs))
    print("\n".join(lines[3:]))
    bad = list(faults(ours, theirs))
    print("\n".join(bad))
    if not bad:
        (HERE / "LAST-RUN").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{1 - bool(bad)} passed, {int(bool(bad))} failed, 0 skipped")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
