# SPDX-License-Identifier: GPL-2.0
"""Faults that are planted to see them found still have a place: patches apply, and scripts for sed change something."""

import subprocess


def tried(tree, *command):
    return subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)


def check(tree):
    findings = []
    for path in tree.files("tools/debug/planted", name=r"\.patch$"):
        if tried(tree, "patch", "--dry-run", "--force", "-p1", f"--input={path}").returncode:
            findings.append(f"{path}: does not apply")
    for path in tree.files("tools/diff/planted", name=r"\.sed$"):
        target = tree.read(path).splitlines()[1].removeprefix("# ")
        if tried(tree, "sed", "-f", path, target).stdout == tree.read(target):
            findings.append(f"{path}: changes nothing in {target}")
    return findings


PATCH = "--- a/rust/a.rs\n+++ b/rust/a.rs\n@@ -1 +1 @@\n-fn f() {}\n+fn g() {}\n"
SED = "# SPDX\n# rust/a.rs\n# Another name.\ns/fn f/fn g/\n"
BOTH = {"tools/debug/planted/a.patch": PATCH, "tools/diff/planted/a.sed": SED}
SAMPLES = [
    ("a patch without its place", {"rust/a.rs": "fn h() {}\n", "tools/debug/planted/a.patch": PATCH}, "does not apply"),
    ("a script without its place", {"rust/a.rs": "fn h() {}\n", "tools/diff/planted/a.sed": SED}, "changes nothing"),
    ("clean", {"rust/a.rs": "fn f() {}\n", **BOTH}, None),
]
