# SPDX-License-Identifier: GPL-2.0
"""No function of rust/driver has more than 60 lines, or blocks in more than four levels.

The levels are counted in braces, so a `match` or a struct in a block is one as well.
"""

from lib.rustlex import code, group_end

TOP = "rust/driver"
LINES = 60
LEVELS = 4


def functions(tokens):
    """Yields (name, line, lines, levels) of each function with a body."""
    for i, token in enumerate(tokens[:-1]):
        if token.kind != "ident" or token.text != "fn" or tokens[i + 1].kind != "ident":
            continue
        start, depth = i, 0
        while start < len(tokens) and not (depth == 0 and tokens[start].text in "{;"):
            depth += (tokens[start].text in "([") - (tokens[start].text in ")]")
            start += 1
        if start == len(tokens) or tokens[start].text == ";":
            continue
        end = group_end(tokens, start)
        level = deepest = 0
        for inner in tokens[start + 1:end - 1]:
            level += (inner.text == "{") - (inner.text == "}")
            deepest = max(deepest, level)
        yield tokens[i + 1].text, token.line, tokens[end - 1].line - token.line + 1, deepest


def check(tree):
    findings = []
    for path in tree.rust(TOP):
        for name, line, lines, levels in functions(code(tree.read(path))):
            if lines > LINES:
                findings.append(f"{path}:{line}: {name}() has {lines} lines (at most {LINES})")
            if levels > LEVELS:
                findings.append(f"{path}:{line}: {name}() has {levels} levels (at most {LEVELS})")
    return findings


A = f"{TOP}/a.rs"
SAMPLES = [
    ("long", {A: "fn f() {\n" + "    g();\n" * 59 + "}\n"}, "f() has 61 lines"),
    ("deep", {A: "fn f() {" + "if x {" * 5 + "}" * 5 + "}"}, "f() has 5 levels"),
    ("in an impl", {A: "impl A {\n    fn f(a: [u8; { 1 }]) -> X {\n" + "\n" * 60 + "}\n}"}, "a.rs:2: f()"),
    ("clean", {A: "trait T { fn t(); }\nfn f() {\n" + "    g();\n" * 58 + "}\nfn h() {" + "{" * 4 + "}" * 4 + "}",
               "rust/kernel/a.rs": "fn f() {\n" + "    g();\n" * 80 + "}\n"}, None),
]
