# SPDX-License-Identifier: GPL-2.0
"""Planted faults (tools/planted/faults) still have a place: each old text occurs exactly once, and
the test exists."""

import subprocess
import sys

from lib.tree import HERE


def check(tree):
    reader = HERE.parent / "planted/fault.py"
    done = subprocess.run([sys.executable, "-B", reader, "check", tree.root], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() + done.stderr.splitlines()


FAULT = """breaks = "Another name."
test = "selftest a"

[[change]]
file = "rust/a.rs"
old = "fn f"
new = "fn g"
"""
RUST, TEST, NAME = {"rust/a.rs": "fn f() {}\n"}, {"selftests/net/a.sh": ""}, "tools/planted/faults/a.toml"
SAMPLES = [
    ("no place", {"rust/a.rs": "fn h() {}\n", **TEST, NAME: FAULT}, "occurs 0 times"),
    ("two places", {"rust/a.rs": "fn f() {}\nfn ff() {}\n", **TEST, NAME: FAULT}, "occurs 2 times"),
    ("no file", {**TEST, NAME: FAULT}, "there is no rust/a.rs"),
    ("no change", {**RUST, **TEST, NAME: FAULT.replace("fn g", "fn f")}, "changes nothing"),
    ("no test", {**RUST, NAME: FAULT}, "there is no test 'selftest a'"),
    ("an unknown kind of test", {**RUST, **TEST, NAME: FAULT.replace("selftest", "test")}, "unknown kind"),
    ("no sentence", {**RUST, **TEST, NAME: FAULT.replace("breaks", "says")}, "lacks 'breaks'"),
    ("no TOML", {**RUST, **TEST, NAME: FAULT.replace("[[", "[")}, "is no TOML"),
    ("clean", {**RUST, **TEST, NAME: FAULT}, None),
]
