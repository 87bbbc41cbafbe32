# SPDX-License-Identifier: GPL-2.0
"""The mutation score from what cargo-mutants found, and whether each survivor has a reason.

usage: score.py FOLDER FILE…

A mutant is viable if it compiles. It is killed if a test fails or does not end. Writes
tools/mutants/LAST-RUN when all shards are done, and fails below the wanted score or when a survivor
has no line in tools/mutants/survivors.
"""

import collections
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parents[1]
TOP = HERE.parent.parent
WANTED = 95.0
OUTCOMES = ("caught", "missed", "timeout", "unviable")


def reasons():
    """The reason by mutant, without line numbers, which other changes move."""
    found = {}
    for line in (HERE / "survivors").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            mutant, tab, reason = line.partition("\t")
            if not tab or not reason.strip():
                sys.exit(f"survivors: no tab and reason in '{line}'")
            found[mutant] = reason
    return found


def name(mutant):
    """What a mutant does, as `survivors` has it: file, then the change and its function."""
    return re.sub(r"^proto/([^:]+):\d+:\d+: ", r"\1: ", mutant).replace("\t", " ")


def read(folder):
    """The outcome by mutant of one run of cargo-mutants."""
    return {mutant: outcome
            for outcome in OUTCOMES
            for mutant in (folder / f"mutants.out/{outcome}.txt").read_text(encoding="utf-8").splitlines()}


def outcomes(folder):
    """The outcome by mutant of a part of a shard: survivors of the first tests were tried again."""
    found = read(folder / "first")
    if (folder / "again").exists():
        found |= read(folder / "again")
    return found


def commit():
    """The commit of the sources, and whether they were changed since."""
    def git(*words):
        return subprocess.run(["git", "-C", str(TOP), *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    changed = git("status", "--porcelain", "--", "rust/proto", "tools/host")
    return git("rev-parse", "HEAD") + (", with changes" if changed else "")


def main(folder, files):
    count, survivors = collections.Counter(), []
    done = [path for path in (folder / file.replace("/", "-") for file in files) if (path / "done").exists()]
    whole = len(done) == len(files)
    for part in (part for path in done for part in path.glob("[0-9]*")):
        for mutant, outcome in outcomes(part).items():
            count[outcome] += 1
            if outcome == "missed":
                survivors.append((mutant, name(mutant)))
    killed = count["caught"] + count["timeout"]
    viable = killed + count["missed"]
    known = reasons()
    unexplained = [place for place, text in survivors if text not in known]
    score = 100 * killed / viable if viable else 0
    print(f"shards: {len(done)} of {len(files)}")
    print(f"mutants: {sum(count.values())}, viable {viable}, killed {killed}")
    print(f"score: {score:.1f} %, wanted {WANTED} %")
    for place in unexplained:
        print(f"survives, without a reason in tools/mutants/survivors: {place}")
    for text in sorted(set(known) - {text for _, text in survivors}):
        if whole:
            print(f"listed in tools/mutants/survivors, but does not survive: {text}")
    if whole:
        (HERE / "LAST-RUN").write_text(
            "# SPDX-License-Identifier: GPL-2.0\n"
            "# The last whole run of tools/mutants/run.\n\n"
            f"ended      {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}\n"
            f"commit     {commit()}\n"
            f"mutants    {sum(count.values())}, of which {count['unviable']} do not compile\n"
            f"killed     {killed} of {viable}, {count['timeout']} of them by running out of time\n"
            f"score      {score:.1f} %\n"
            f"survivors  {len(survivors)}, each with its reason in tools/mutants/survivors\n",
            encoding="utf-8")
    return int(not whole or score < WANTED or bool(unexplained))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
