# SPDX-License-Identifier: GPL-2.0
"""Every source file names its licence; a file that grows long is mentioned."""

import re

SOURCE = re.compile(r"(^|/)(Makefile|Kbuild|[^/]*\.(rs|c|h|py|sh|mk|toml|allow|yml|yaml)|bindgen_parameters)$")
OTHERS = ("COPYING", "Cargo.lock", "rust-project.json")
LICENCE = "SPDX-License-Identifier: GPL-2.0"
LONG = 500


def is_source(path, text):
    return path not in OTHERS and bool(SOURCE.search(path) or text.startswith("#!"))


def check(tree):
    findings = []
    for path in tree.files():
        try:
            text = (tree.root / path).read_bytes().decode("utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        if not is_source(path, text):
            continue
        lines = text.splitlines()
        if not any(LICENCE in line for line in lines[:2]):
            findings.append(f"{path}:1: no {LICENCE} in the first two lines")
        if len(lines) > LONG:
            findings.append(f"warning: {path}: {len(lines)} lines (split by noun)")
    return findings


OK = f"// {LICENCE}\n"
SAMPLES = [
    ("none", {"rust/a.rs": "fn f() {}"}, "rust/a.rs:1"),
    ("too late", {"tools/a.py": "\n\n# " + LICENCE}, "tools/a.py:1"),
    ("another licence", {"rust/a.rs": "// SPDX-License-Identifier: MIT\n"}, "rust/a.rs:1"),
    ("a script without ending", {"selftests/a": "#!/bin/sh\ntrue\n"}, "selftests/a:1"),
    ("at the top", {"Makefile": "all:\n"}, "Makefile:1"),
    ("a long file", {"rust/a.rs": OK + "\n" * 600}, "601 lines"),
    ("clean", {"rust/a.rs": OK, "tools/x": f"#!/bin/sh\n# {LICENCE}\n", "rust/b_generated.rs": "",
               "README.md": "x", "out/a.rs": "", "tools/host/target/a.rs": "", "COPYING": "text"}, None),
]
