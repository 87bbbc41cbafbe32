# SPDX-License-Identifier: GPL-2.0
"""The prepared kernel is the one whose changes docs/follow.tsv has followed; and
tools/follow/follow.py works.

A run of continuous integration judges a commit and not what the archive has today: it skips this.
"""

import os
import re
import subprocess
import sys

from lib.tree import HERE, Skip

sys.path.append(str(HERE.parent / "follow"))

import follow  # noqa: E402


def is_followed_series(tree):
    """Whether the kernel is of the series that the checkout is for."""
    makefile = tree.root / "Makefile"
    default = re.search(r"KERNEL_SERIES \?= (\S+)", makefile.read_text() if makefile.exists() else "")
    return not default or os.environ.get("KERNEL_SERIES", default[1]) == default[1]


def check(tree):
    folder = tree.root / "tools/follow"
    if (folder / "test_follow.py").exists():
        run = subprocess.run([sys.executable, "-B", "-m", "unittest", "--quiet", "test_follow"],
                             cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode:
            return run.stderr.splitlines()
    if not (tree.root / "docs/follow.tsv").exists():
        return []
    try:
        follow.check(follow.Table(tree.read("docs/follow.tsv")), tree.need_kdir())
    except SystemExit as wrong:
        sentence = str(wrong).removeprefix("error: ")
        if not is_followed_series(tree) or os.environ.get("CI"):
            raise Skip(sentence) from None
        return [sentence]
    return []


SAMPLES = [
    ("another kernel", {"docs/follow.tsv": "file\tMakefile\t.*\tx\nfollowed\tthe last one\t0\n"},
     "differs from the last one"),
    ("a test that fails", {
        "tools/follow/test_follow.py": "import unittest\nclass T(unittest.TestCase):\n"
                                "    def test_it(self):\n        self.fail('broken')\n"}, "broken"),
    ("clean", {"tools/follow/test_follow.py": "import unittest\nclass T(unittest.TestCase):\n"
                                       "    def test_it(self):\n        pass\n"}, None),
]
