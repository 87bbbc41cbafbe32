# SPDX-License-Identifier: GPL-2.0
"""The tests of tools/wgwhy; its tables are what docs/netlink/wireguard-diag.yaml says; and each
cause has its row in a selftest and in docs/dead-tunnel.md."""

import re
import subprocess
import sys

PAGE = "docs/dead-tunnel.md"

# Why no row makes these.
NO_ROW = {
    "old-module": "takes a module of ours from before the family wireguard-diag",
    "other-module": "takes a kernel with the C module built in",
}

CAUSE = re.compile(r'@cause\(\w+, "([^"]+)"\)|"cause": "([^"]+)"')
BY_MODULE = re.compile(r'"cause": (\{[^}]*\})')
ROW = re.compile(r"^\s*(?:tells|notes)\s+\w+\s+(.*)$", re.MULTILINE)


def run(*words, at):
    done = subprocess.run([sys.executable, "-B", *words], cwd=at, capture_output=True, text=True,
                          check=False)
    return done.stderr.splitlines() if done.returncode else []


def named(tree):
    """The causes that wgwhy can name."""
    found = set()
    for path in tree.files("tools/wgwhy", name=r"^(?!.*/test_).*\.py$"):
        text = tree.read(path)
        found.update(one or other for one, other in CAUSE.findall(text))
        for table in BY_MODULE.findall(text):
            found.update(re.findall(r'"([^"]+)"', table))
    return found


def without_row(tree):
    """Yields what is wrong between causes, rows and the page."""
    known, rows = named(tree), set()
    for path in tree.files("selftests/netlink", name=r"/wgwhy[^/]*\.sh$"):
        rows.update(word for line in ROW.findall(tree.read(path)) for word in line.replace('"', " ").split())
    page = tree.read(PAGE) if (tree.root / PAGE).exists() else ""
    for cause in sorted(known):
        if cause not in rows and cause not in NO_ROW:
            yield f"tools/wgwhy: no row of a selftest makes the cause {cause}"
        if f"`{cause}`" not in page:
            yield f"{PAGE}: the cause {cause} is missing"
    yield from (f"the cause {cause} has a row: NO_ROW need not have it" for cause in sorted(rows & set(NO_ROW)))
    yield from (f"a row wants the cause {cause}, which wgwhy never names" for cause in sorted(rows - known))


def check(tree):
    folder, found = tree.root / "tools/wgwhy", []
    tests = sorted(file.stem for file in folder.glob("test_*.py"))
    if tests:
        found += run("-m", "unittest", "--quiet", *tests, at=folder)
    if (tree.root / "tools/build/py/netlink.py").exists():
        found += run("netlink.py", "--check", at=tree.root / "tools/build/py")
    return [*found, *without_row(tree)]


SAMPLES = [
    ("a test that fails", {
        "tools/wgwhy/test_it.py": "import unittest\nclass T(unittest.TestCase):\n"
                                  "    def test_it(self):\n        self.fail('broken')\n"}, "broken"),
    ("old tables", {"tools/build/py/netlink.py": "raise SystemExit('not what the schema says')\n"},
     "not what the schema says"),
    ("a cause without a row, a row without a cause", {
        "tools/wgwhy/of_it.py": '@cause(OF_PEER, "cold")\nyield {"cause": "wet"}\nyield {"cause": {1: "dry"}[1]}\n',
        "selftests/netlink/wgwhy-it.sh": "tells a wet\n\tnotes b warm\n", PAGE: "`wet` `cold`\n"},
     ["makes the cause cold", "makes the cause dry", "the cause dry is missing", "the cause warm"]),
    ("clean", {"tools/wgwhy/test_it.py": "import unittest\nclass T(unittest.TestCase):\n"
                                         "    def test_it(self):\n        pass\n",
               "tools/build/py/netlink.py": "", "tools/wgwhy/of_it.py": '@cause(OF_PEER, "cold")\n',
               "selftests/netlink/wgwhy-it.sh": "tells a cold\n", PAGE: "`cold`\n"}, None),
]
