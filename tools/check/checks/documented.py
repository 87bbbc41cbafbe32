# SPDX-License-Identifier: GPL-2.0
"""Every item that other folders may use has a doc comment, so that `make doc` explains all of them.

rustc asks for that where another crate may use an item. In the driver there is no such crate.
"""

import re

ITEM = re.compile(r"\s*pub(?:\(crate\))? (?:(?:const|unsafe|async|extern \"C\") )*"
                  r"(fn|struct|enum|union|trait|type|const|static|mod|macro_rules!) (\w+)(.*)")
ATTRIBUTE_END = re.compile(r"\]\s*$")


def is_documented(lines, at):
    """Whether a doc comment stands above line `at`, with nothing but attributes between."""
    at -= 1
    while at >= 0:
        line = lines[at].strip()
        if line.startswith(("///", "#[doc", "/**")):
            return True
        if ATTRIBUTE_END.search(line):
            # One of several lines begins further up.
            while at >= 0 and not lines[at].lstrip().startswith("#["):
                at -= 1
        elif not line.startswith("//"):
            return False
        at -= 1
    return False


def undocumented(tree, path):
    text = tree.read(path)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"(#\[cfg\(test\)\]|#\[kernel::macros::kunit_tests)", line):
            return
        found = ITEM.match(line)
        # A file that is a module documents itself in its first lines.
        if found and not (found[1] == "mod" and found[3].startswith(";")) and not is_documented(lines, number):
            yield f"{path}:{number + 1}: {found[1]} {found[2]} has no doc comment"
    if "//!" not in text:
        yield f"{path}: has no doc comment of its own (//!)"


def check(tree):
    return [finding for path in tree.rust("rust/driver", "rust/kernel", "rust/proto")
            for finding in undocumented(tree, path)]


SAMPLES = [
    ("a function", {"rust/driver/a.rs": "//! A.\n\npub(crate) fn f() {}\n"}, "rust/driver/a.rs:3"),
    ("behind an attribute", {"rust/driver/a.rs": "//! A.\n\n#[inline]\npub(crate) const fn f() {}\n"}, "a.rs:4"),
    ("a constant", {"rust/proto/a.rs": "//! A.\n\nimpl A {\n    pub const B: u8 = 1;\n}\n"}, "a.rs:4: const B"),
    ("a file", {"rust/driver/a.rs": "/// F.\npub(crate) fn f() {}\n"}, "no doc comment of its own"),
    ("clean", {"rust/driver/a.rs": "//! A.\n\n/// F.\n#[cfg_attr(\n    a,\n    b\n)]\npub(crate) fn f() {}\n"
                                   "fn private() {}\npub(crate) mod b;\n"}, None),
]
