# SPDX-License-Identifier: GPL-2.0
"""selftests/README.md has one line for each selftest, which says what it guards, below the heading
of its folder."""

import posixpath
import re

INDEX = "selftests/README.md"
HEADING = re.compile(r"^## `([a-z]+)`")
LINE = re.compile(r"^\| \[([\w-]+)\]\(([\w./-]+)\) \| (.*\S) \|$")
SHORTEST = 15


def tests(tree):
    """The scripts that the runner takes for selftests: those with a line "# vm:" at the top."""
    for path in tree.files("selftests", name=r"\.sh$"):
        if any(line.startswith("# vm: ") for line in tree.read(path).splitlines()[:10]):
            yield path


def check(tree):
    text = tree.read(INDEX) if (tree.root / INDEX).exists() else ""
    found, findings, folder = {}, [], None
    for number, line in enumerate(text.splitlines(), 1):
        if match := HEADING.match(line):
            folder = match[1]
        if match := LINE.match(line):
            path = f"selftests/{match[2]}"
            if posixpath.dirname(match[2]) != folder or posixpath.basename(match[2]) != f"{match[1]}.sh":
                findings.append(f"{INDEX}:{number}: {match[2]} is not {match[1]} in the folder {folder}")
            if path in found:
                findings.append(f"{INDEX}:{number}: {match[1]} is there twice")
            if len(match[3]) < SHORTEST:
                findings.append(f"{INDEX}:{number}: does not say what {match[1]} guards")
            found[path] = number
    there, names = set(tests(tree)), {}
    for path in sorted(there):
        if path not in found:
            findings.append(f"{path}: {INDEX} has no line for it")
        if path.count("/") != 2:
            findings.append(f"{path}: not in a folder of selftests")
        if (other := names.setdefault(posixpath.basename(path), path)) != path:
            findings.append(f"{path}: another test has this name: {other}")
    return findings + [f"{INDEX}:{found[path]}: there is no test {path}" for path in sorted(found.keys() - there)]


I, A, TEST = INDEX, "selftests/net/a.sh", "#!/bin/bash\n# SPDX\n# vm: smp\n"
GOOD = "## `net`\n\n| test | guards |\n|---|---|\n| [a](net/a.sh) | Something that must hold. |\n"
SAMPLES = [
    ("no index", {A: TEST}, "has no line for it"),
    ("a test without a line", {I: GOOD, A: TEST, "selftests/net/b.sh": TEST}, "b.sh: selftests/README.md has no line"),
    ("a line without a test", {I: GOOD}, "there is no test selftests/net/a.sh"),
    ("another folder", {I: GOOD.replace("`net`", "`other`"), A: TEST}, "is not a in the folder other"),
    ("nothing said", {I: GOOD.replace("Something that must hold", "x"), A: TEST}, "does not say"),
    ("a line twice", {I: GOOD + GOOD, A: TEST}, "is there twice"),
    ("a name twice", {I: GOOD, A: TEST, "selftests/other/a.sh": TEST}, "another test has this name"),
    ("not in a folder", {I: GOOD, A: TEST, "selftests/b.sh": TEST}, "not in a folder"),
    ("clean", {I: GOOD, A: TEST, "selftests/lib.sh": "# vm\n"}, None),
]
