# SPDX-License-Identifier: GPL-2.0
"""The tests of tools/wgwhy; and its tables are what docs/netlink/wireguard-diag.yaml says."""

import subprocess
import sys


def run(*words, at):
    done = subprocess.run([sys.executable, "-B", *words], cwd=at, capture_output=True, text=True,
                          check=False)
    return done.stderr.splitlines() if done.returncode else []


def check(tree):
    folder, found = tree.root / "tools/wgwhy", []
    tests = sorted(file.stem for file in folder.glob("test_*.py"))
    if tests:
        found += run("-m", "unittest", "--quiet", *tests, at=folder)
    if (tree.root / "tools/build/py/netlink.py").exists():
        found += run("netlink.py", "--check", at=tree.root / "tools/build/py")
    return found


SAMPLES = [
    ("a test that fails", {
        "tools/wgwhy/test_it.py": "import unittest\nclass T(unittest.TestCase):\n"
                                  "    def test_it(self):\n        self.fail('broken')\n"}, "broken"),
    ("old tables", {"tools/build/py/netlink.py": "raise SystemExit('not what the schema says')\n"},
     "not what the schema says"),
    ("clean", {"tools/wgwhy/test_it.py": "import unittest\nclass T(unittest.TestCase):\n"
                                         "    def test_it(self):\n        pass\n",
               "tools/build/py/netlink.py": ""}, None),
]
