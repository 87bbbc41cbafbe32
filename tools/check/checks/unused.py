# SPDX-License-Identifier: GPL-2.0
"""Public items of rust/kernel and rust/proto, and C helpers, that nothing in the module uses.

By text: the name of a `pub` item must occur somewhere else in the module's code, tests and comments
aside. Names that several items share hide each other, so this finds less than there is, and never
more. tools/check/unused.allow lists `name | file | reason`.
"""

import re
from collections import Counter

from lib.rustlex import code
from lib.tree import Allowed

ITEM = re.compile(r'\bpub (?:const |unsafe |extern "C" )*(?:fn|struct|enum|trait|type|const|static|union)\s+([A-Za-z_]\w*)')
MACRO = re.compile(r"# \[ macro_export \] macro_rules ! (\w+)")
DEFINITION = re.compile(r"\b(?:fn|struct|enum|trait|type|const|static|union|macro_rules !)\s+([A-Za-z_]\w*)")
TESTS = re.compile(r"# \[ (?:cfg \( test \)|(?:\w+ :: )*kunit_tests \( \w+ \)) \] (?:pub )?mod \w+ \{")
EXPORT = re.compile(r"pub (?:\( \w+ \) )?use [^;]*;")
HELPER = re.compile(r"\bwg_helper_(\w+)\(")
WORD = re.compile(r"[A-Za-z_]\w*")


def without_tests(text):
    """The code without its modules of tests."""
    while match := TESTS.search(text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        text = text[:match.start()] + text[at:]
    return text


def check(tree):
    allowed = Allowed(tree, "unused.allow")
    uses, items = Counter(), []
    for path in tree.rust("rust"):
        if "/tests" in path:
            continue
        text = without_tests(" ".join(token.text for token in code(tree.read(path))))
        words = Counter(WORD.findall(EXPORT.sub("", text)))
        words.subtract(DEFINITION.findall(text))
        uses.update(words)
        if path.startswith(("rust/kernel/", "rust/proto/")):
            items += [(path, name) for name in ITEM.findall(text) + MACRO.findall(text)]
    findings = [f"{path}: nothing uses the public item {name}" for path, name in items
                if uses[name] <= 0 and not allowed.covers(lambda n, p, name=name, path=path: (n, p) == (name, path))]
    for path in tree.files("rust/helpers", name=r"\.c$"):
        findings += [f"{path}: nothing uses the helper {name}" for name in HELPER.findall(tree.read(path))
                     if uses[name] <= 0]
    return findings + allowed.findings()


USED = "pub fn f() {}\n"
SAMPLES = [
    ("unused", {"rust/kernel/a.rs": USED}, "public item f"),
    ("unused in proto", {"rust/proto/a.rs": "pub struct S;\n"}, "public item S"),
    ("used by a test alone", {"rust/kernel/a.rs": USED + "#[cfg(test)]\nmod tests {\n    fn t() { f(); }\n}\n"}, "public item f"),
    ("used by a comment alone", {"rust/kernel/a.rs": USED + "// f\n"}, "public item f"),
    ("exported alone", {"rust/kernel/a.rs": USED, "rust/kernel/lib.rs": "pub use a::f;\n"}, "public item f"),
    ("an entry that nothing needs", {"unused.allow": "f | rust/kernel/a.rs | why\n"}, "nothing needs this entry"),
    ("a helper", {"rust/helpers/a.c": "int wg_helper_f(void)\n{\n\treturn f();\n}\n"}, "nothing uses the helper f"),
    ("allowed", {"rust/kernel/a.rs": USED, "unused.allow": "f | rust/kernel/a.rs | why\n"}, None),
    ("used", {"rust/kernel/a.rs": USED, "rust/driver/b.rs": "fn g() { f() }\n"}, None),
]
