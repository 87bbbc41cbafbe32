# SPDX-License-Identifier: GPL-2.0
"""selftests/behaviour.tsv: each row of that table names a test, and the test names the row.

A line is `id <tab> mark <tab> tests <tab> what must hold`. The mark is `-`, or `changed` where we
differ from the C module on purpose. Tests are files of selftests or tools/host/tests, separated by
spaces; where there is none, the reason stands there: `cannot be observed on these machines: needs
…`. A test names rows in a comment near the assertion:
`row L7` or `rows L1 L7`.
"""

import re

TABLE = "selftests/behaviour.tsv"
REASON = "cannot be observed on these machines: needs "

# How many rows each part of the table has, in its order. None may get lost.
ROWS = {
    "L": 25, "U": 11, "NS": 6, "M": 9,
    "N": 16, "G": 12, "O": 9, "SP": 3, "SK": 4, "SF": 1, "P": 11,
    "K": 19, "F": 7, "H": 12, "S": 7, "R": 3, "T": 15, "C": 8, "D": 20, "E": 10, "A": 8,
    "X": 10,
}

# How many rows of a hundred must have a test.
TESTED = 95

ID = r"[A-Z]+[0-9]+"
MENTION = re.compile(rf"\brows? ({ID}(?:,? {ID})*)\b")
SPLIT = re.compile(rf"({'|'.join(sorted(ROWS, key=len, reverse=True))})([0-9]+)$")


def read(tree):
    """Yields (line number, id, mark, tests, what)."""
    for number, line in enumerate(tree.read(TABLE).splitlines(), 1):
        if line and not line.startswith("#"):
            fields = line.split("\t")
            yield (number, *fields) if len(fields) == 4 and all(fields) else (number, line, None, None, None)


def expected():
    return [f"{part}{n}" for part, count in ROWS.items() for n in range(1, count + 1)]


def mentions(tree):
    """The rows that each test names."""
    found = {}
    for path in tree.files("selftests", "tools/host/tests", name=r"\.(sh|py|rs)$"):
        rows = set()
        for match in MENTION.finditer(tree.read(path)):
            rows.update(row for row in re.findall(ID, match[1]) if SPLIT.match(row))
        found[path] = rows
    return found


def find(known, name):
    """The file of a test, whose folder need not be said."""
    found = [path for path in known if path.endswith(f"/{name}")]
    return found[0] if len(found) == 1 else None


def check(tree):
    if not (tree.root / TABLE).exists():
        return [f"{TABLE} is missing"]
    findings, ids, bare, named = [], [], 0, {}
    known = mentions(tree)
    for number, row, mark, tests, _ in read(tree):
        if mark is None:
            findings.append(f"{TABLE}:{number}: not four fields: {row[:60]}")
            continue
        ids.append(row)
        if mark not in ("-", "changed"):
            findings.append(f"{TABLE}:{number}: unknown mark {mark!r}")
        if tests.startswith(REASON) and len(tests) > len(REASON) + 5:
            bare += 1
            continue
        for test in tests.split():
            path = find(known, test)
            if not path:
                findings.append(f"{TABLE}:{number}: {row}: no test {test}, or several")
            elif row not in known[path]:
                findings.append(f"{path}: does not name row {row}, though {TABLE} says that it tests it")
            else:
                named.setdefault(path, set()).add(row)
    wanted = expected()
    for row in [r for r in wanted if r not in ids]:
        findings.append(f"{TABLE}: no row {row}")
    for row in sorted({r for r in ids if ids.count(r) > 1 or r not in wanted}):
        findings.append(f"{TABLE}: {row} is there twice or unknown")
    if not findings and ids != wanted:
        findings.append(f"{TABLE}: the rows are not in the order of ROWS")
    for path, rows in known.items():
        for row in sorted(rows - named.get(path, set())):
            findings.append(f"{path}: names row {row}, but {TABLE} does not name the test")
    if bare * 100 > (100 - TESTED) * len(ids):
        findings.append(f"{TABLE}: {bare} of {len(ids)} rows have no test")
    return findings


def _table(change=lambda lines: lines):
    lines = [f"{row}\t-\ta.sh\tsomething" for row in expected()]
    return "\n".join(change(lines)) + "\n"


def _test(*without):
    return "# rows " + " ".join(row for row in expected() if row not in without) + "\n"


def _reasons(lines):
    return [re.sub(r"\ta\.sh\t", f"\t{REASON}more memory\t", line) if line.startswith("L") else line for line in lines]


T, A = TABLE, "selftests/net/a.sh"
SAMPLES = [
    ("no table", {A: ""}, "is missing"),
    ("a row that got lost", {T: _table(lambda lines: lines[1:]), A: _test("L1")}, "no row L1"),
    ("a row twice", {T: _table(lambda lines: lines + lines[:1]), A: _test()}, "L1 is there twice"),
    ("another order", {T: _table(lambda lines: lines[::-1]), A: _test()}, "not in the order"),
    ("an unknown test", {T: _table().replace("a.sh", "b.sh", 1), A: _test()}, "no test b.sh"),
    ("a test that does not name its row", {T: _table(), A: _test("G7")}, "does not name row G7"),
    ("a row that the table does not give to the test", {T: _table(), A: _test(), "selftests/b.py": "# row D1\n"},
     "b.py: names row D1"),
    ("two tests of one name", {T: _table(), A: _test(), "selftests/b/a.sh": ""}, "no test a.sh, or several"),
    ("neither test nor reason", {T: _table().replace("a.sh", "todo", 1), A: _test("L1")}, "no test todo"),
    ("too many reasons", {T: _table(_reasons), A: _test(*[f"L{n}" for n in range(1, 26)])}, "rows have no test"),
    ("an unknown mark", {T: _table().replace("\t-\t", "\todd\t", 1), A: _test()}, "unknown mark"),
    ("a broken line", {T: _table() + "L1 L2\n", A: _test()}, "not four fields"),
    ("clean", {T: "# a comment\n" + _table(), A: _test()}, None),
]
