# SPDX-License-Identifier: GPL-2.0
"""The tests of what tools/bench makes of its measurements."""

import subprocess
import sys


def check(tree):
    if not (tree.root / "tools/bench").is_dir():
        return []
    tests = sorted(file.stem for file in (tree.root / "tools/bench").glob("test_*.py"))
    run = subprocess.run([sys.executable, "-B", "-m", "unittest", "--quiet", *tests],
                         cwd=tree.root / "tools/bench", capture_output=True, text=True, check=False)
    return run.stderr.splitlines() if run.returncode else []


SAMPLES = [
    ("a test that fails", {
        "tools/bench/test_report.py": "import unittest\nclass T(unittest.TestCase):\n"
                                      "    def test_it(self):\n        self.fail('broken')\n"}, "broken"),
    ("clean", {"tools/bench/test_report.py": "import unittest\nclass T(unittest.TestCase):\n"
                                             "    def test_it(self):\n        pass\n"}, None),
]
