# SPDX-License-Identifier: GPL-2.0
"""No two types of rust/kernel, rust/driver and rust/proto have one name, so that a name alone says
which is meant.

A type is a struct, enum, union, trait or alias. Tests may have their own, and what stands in an
`impl` or a `trait` belongs to that. Variants of a type for other configurations are one, if they
stand in one file. An alias of a type of the same name is that type. A `Registration` is named with
its module: what is registered.
"""

from lib.rustlex import code, group_end, head_end

TOPS = ("rust/kernel", "rust/driver", "rust/proto")
SHARED = {"Registration"}
TYPES = ("struct", "enum", "union", "trait", "type")
# What only stands before an item.
MODIFIERS = {"pub", "unsafe", "const", "async", "extern", "default"}


def _is_test(words):
    return words[:4] == ["cfg", "(", "test", ")"] or "kunit_tests" in words


def _item_end(tokens, at):
    """The index behind the item whose head begins at `at`."""
    at = head_end(tokens, at)
    if at < len(tokens) and tokens[at].text == "{":
        return group_end(tokens, at)
    return at + 1


def _is_same(tokens, at, name):
    """Whether the alias `name` at `at` is one of a type of that name."""
    words = [t.text for t in tokens[at:head_end(tokens, at, stops=(";",))]]
    path = words[words.index("=") + 1:]
    while path[1:2] == ["::"]:
        path = path[2:]
    return path[0] == name


def types(tokens, depends=False):
    """Yields (name, line, whether it depends on the configuration) of each type."""
    at, attributes = 0, []
    while at < len(tokens):
        word = tokens[at].text
        name = tokens[at + 1].text if at + 1 < len(tokens) and tokens[at + 1].kind == "ident" else None
        if word == "#":
            end = group_end(tokens, at + 1)
            attributes.append([t.text for t in tokens[at + 2:end - 1]])
            at = end
            continue
        if word in MODIFIERS and (word not in ("const", "extern") or name in ("fn", "unsafe", "extern", "impl")):
            at += 1
            if at < len(tokens) and tokens[at].text == "(":
                at = group_end(tokens, at)
            continue
        has_cfg = depends or any(words[0] == "cfg" for words in attributes)
        if word == "mod" and name and tokens[at + 2].text == "{":
            end = group_end(tokens, at + 2)
            if not any(map(_is_test, attributes)):
                yield from types(tokens[at + 3:end - 1], has_cfg)
            at = end
        elif word in TYPES and name:
            if not (word == "type" and _is_same(tokens, at, name)):
                yield name, tokens[at].line, has_cfg
            at = head_end(tokens, at, stops=(";",)) + 1 if word == "type" else _item_end(tokens, at)
        elif word in ("fn", "impl"):
            at = _item_end(tokens, at)
        elif word in ("use", "const", "static", "let"):
            at = head_end(tokens, at, stops=(";",)) + 1
        elif word == "{":
            at = group_end(tokens, at)
        else:
            at += 1
        attributes = []


def check(tree):
    seen = {}
    for path in tree.rust(*TOPS):
        if path.endswith("/tests.rs"):
            continue
        for name, line, depends in types(code(tree.read(path))):
            seen.setdefault(name, {}).setdefault((path, depends), []).append(f"{path}:{line}")
    findings = []
    for name, places in sorted(seen.items()):
        # One entry for the variants of a type that depend on the configuration.
        found = [where for (_, depends), lines in places.items() for where in (lines[:1] if depends else lines)]
        if len(found) > 1 and name not in SHARED:
            findings.append(f"{found[1]}: {name} is also the name of a type at {found[0]}")
    return findings


K, D = "rust/kernel/a.rs", "rust/driver/a.rs"
SAMPLES = [
    ("two structs", {K: "pub struct Entry;", D: "struct Entry(u8);"}, "kernel/a.rs:1: Entry is also"),
    ("in one file", {D: "enum A { B }\nmod b {\n    pub trait A {}\n}\n"}, "driver/a.rs:3: A is also"),
    ("an alias", {"rust/proto/a.rs": "union U { a: u8 }\n", D: "fn f() { g() }\npub(crate) type U<T> = Vec<T>;"}, "U is"),
    ("behind a constant", {K: "const A: [u8; 2] = [1; 2];\nstruct B;\n", D: "const fn f() {}\nstruct B;"}, "B is also"),
    ("behind a macro", {K: "m!(a);\nmacro_rules! m { () => { struct C; } }\nstruct C { a: [u8; 2] }\n", D: "struct C;"},
     "kernel/a.rs:3: C is also"),
    ("with a configuration", {K: "#[cfg(A)]\nstruct D;\n", D: "struct D;"}, "D is also"),
    ("clean", {
        K: "#[cfg(A)]\nstruct A;\n#[cfg(B)]\nmod b {\n    pub struct A;\n}\nimpl T for A { type X = u8; }\n"
           "trait T { type X; }\npub struct Registration;\n#[cfg(test)]\nmod tests {\n    struct Y;\n}\n"
           "#[kernel::macros::kunit_tests(a)]\nmod more {\n    struct Y;\n}\n",
        D: "pub struct Registration;\nstruct Y;\ntype Z = c::Z<u8>;\nunsafe impl S for Y { type X = u8; }\n",
        "rust/driver/c.rs": "struct Z<T>(T);\n", "rust/kernel/b/tests.rs": "struct Z;", "tools/a.rs": "struct Z;",
    }, None),
]
