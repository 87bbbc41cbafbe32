# SPDX-License-Identifier: GPL-2.0
"""The tests of what tools/bench makes of its measurements."""

import subprocess
import sys


def check(tree):
    folder = tree.root / "tools/bench/py"
    if not folder.is_dir():
        return []
    tests = sorted(file.stem for file in folder.glob("test_*.py"))
    run = subprocess.run([sys.executable, "-B", "-m", "unittest", "--quiet", *tests],
                         cwd=folder, capture_output=True, text=True, check=False)
    return run.stderr.splitlines() if run.returncode else []


SAMPLES = [
    ("a test that fails", {
        "tools/bench/py/test_report.py": "import unittest\nclass T(unittest.TestCase):\n"
                                      "    def test_it(self):\n        self.fail('broken')\n"}, "broken"),
    ("clean", {"tools/bench/py/test_report.py": "import unittest\nclass T(unittest.TestCase):\n"
                                             "    def test_it(self):\n        pass\n"}, None),
]
