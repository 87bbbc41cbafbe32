# SPDX-License-Identifier: GPL-2.0
"""A C helper is a name for an inline function or macro, nothing more.

So each is one statement, without branch, loop, state or macro of its own: nobody reviews
C for memory errors in a module that is said to be Rust. The one exception are parameters of the
module that are true or false, as the kernel crate has none that can be changed later.

trace.h is another kind of file: the declarations of the tracepoints. What tracefs, perf and BTF
know of their fields comes from the macro TRACE_EVENT, which only C has. It may have nothing else,
and fills a record by plain assignments.
trace.c makes the definitions from it, and has no code of its own.
"""

import re

TOKEN = re.compile(r"""(?P<space>\s+|/\*.*?\*/|//[^\n]*|\\\n)|(?P<hash>\#(?:\\\n|[^\n])*)
    |(?P<str>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>\w+)|(?P<op>&&|\|\||->|.)""", re.X | re.S)
BRANCHES = {"if", "else", "for", "while", "do", "switch", "case", "goto", "static", "?", "&&", "||",
            "{", "asm", "__asm__", "typedef", "register"}
# pr_fmt is how the kernel lets a file say what its log lines begin with.
# Of two definitions the kernel's configuration may choose one.
DIRECTIVE = re.compile(r'#\s*(include\b|undef pr_fmt$|define pr_fmt\(fmt\) (KBUILD_MODNAME )?"[^"]*" fmt$'
                       r"|(el)?if !?(IS_ENABLED|defined)\(CONFIG_\w+\)$|else$|endif$)")
PREFIX = "wg_helper_"
DECLARATIONS = "rust/helpers/trace.h"
DECLARING = re.compile(r"#\s*(include\b|undef TRACE_\w+$|define TRACE_\w+ [\w.]+$|define _\w+_H$|endif$"
                       r"|if !defined\(_\w+_H\) \|\| defined\(TRACE_HEADER_MULTI_READ\)$)")
DEFINITIONS = "rust/helpers/trace.c"
DEFINING = re.compile(r'#\s*(include "trace\.h"$|define CREATE_(RUST_)?TRACE_POINTS$)')
# A field of a record is filled with a text, an argument, or a member of one.
ASSIGNMENT = re.compile(r"(strscpy_pad \( __entry -> \w+ , \w+( -> \w+)? \)|__entry -> \w+ = \w+( -> \w+)?)")


def lex(text):
    line = 1
    for match in TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield match.lastgroup, match.group(), line
        line += match.group().count("\n")


def close(tokens, at, left, right):
    depth = 0
    for i in range(at, len(tokens)):
        depth += (tokens[i][1] == left) - (tokens[i][1] == right)
        if depth == 0:
            return i
    return len(tokens) - 1


def body_faults(body):
    """Yields what makes the tokens between a helper's braces more than one expression."""
    for word in sorted({text for _, text, _ in body} & BRANCHES):
        yield f"{word!r} in it"
    depth, ends, commas = 0, 0, 0
    for _, text, _ in body:
        depth += (text in "([") - (text in ")]")
        ends += text == ";"
        commas += text == "," and depth == 0
    if ends != 1 or not body or body[-1][1] != ";":
        yield f"{ends} statements"
    elif commas:
        yield "several expressions"
    elif len(body) == 1:
        yield "does nothing"


def is_parameter(head, tokens):
    """Whether this is `static bool NAME = VALUE`, and NAME a parameter, or what says so."""
    if head[:1] == ["module_param"]:
        return True
    words = [text for _, text, _ in tokens]
    return head[:2] == ["static", "bool"] and head[3:] in (["=", "true"], ["=", "false"]) and any(
        words[i:i + 5] == ["module_param", "(", head[2], ",", "bool"] for i in range(len(words)))


def check_declarations(path, tokens):
    """Yields what is no TRACE_EVENT, and what one does beside assignments."""
    i = 0
    while i < len(tokens):
        end = next((j for j in range(i, len(tokens)) if tokens[j][1] == "("), len(tokens) - 1)
        stop = close(tokens, end, "(", ")")
        _, name, line = tokens[i]
        event = tokens[end + 1:stop]
        if end != i + 1 or name != "TRACE_EVENT" or [t[1] for t in tokens[stop + 1:stop + 2]] != [";"]:
            yield f"{path}:{line}: no TRACE_EVENT: {name}"
        for word in sorted({text for _, text, _ in event} & BRANCHES):
            yield f"{path}:{line}: {word!r} in it"
        at = next((j for j, t in enumerate(event) if t[1] == "TP_fast_assign"), None)
        if at is not None:
            body = " ".join(t[1] for t in event[at + 2:close(event, at + 1, "(", ")")])
            for statement in filter(None, map(str.strip, body.split(";"))):
                if not ASSIGNMENT.fullmatch(statement):
                    yield f"{path}:{line}: no assignment: {statement}"
        i = stop + 2


def check_file(path, text):
    tokens = list(lex(text))
    for special, allowed in ((DECLARATIONS, DECLARING), (DEFINITIONS, DEFINING)):
        if path == special:
            for _, directive, line in (t for t in tokens if t[0] == "hash"):
                if not allowed.match(directive):
                    yield f"{path}:{line}: preprocessor: {directive.splitlines()[0]}"
            yield from check_declarations(path, [t for t in tokens if t[0] != "hash"])
            return
    for _, directive, line in (t for t in tokens if t[0] == "hash"):
        if not DIRECTIVE.match(directive):
            yield f"{path}:{line}: preprocessor: {directive.splitlines()[0]}"
    tokens = [t for t in tokens if t[0] != "hash"]
    i = 0
    while i < len(tokens):
        end = next((j for j in range(i, len(tokens)) if tokens[j][1] in ("{", ";")), len(tokens) - 1)
        head = [text for _, text, _ in tokens[i:end]]
        line = tokens[i][2]
        name = head[head.index("(") - 1] if "(" in head[1:] else " ".join(head)
        if tokens[end][1] != "{" or "=" in head:
            if not re.match(r"MODULE_[A-Z_]+$", name) and not is_parameter(head, tokens):
                yield f"{path}:{line}: not a function: {' '.join(head)}"
            i = end + 1 if tokens[end][1] == ";" else close(tokens, end, "{", "}") + 1
            continue
        stop = close(tokens, end, "{", "}")
        if not name.startswith(PREFIX):
            yield f"{path}:{line}: {name}: the name does not start with {PREFIX}"
        for word in {"static", "inline", "__always_inline"} & set(head):
            yield f"{path}:{line}: {name}: {word}"
        for fault in body_faults(tokens[end + 1:stop]):
            yield f"{path}:{line}: {name}: {fault}"
        i = stop + 1


def check(tree):
    return [f for path in tree.files("rust/helpers", name=r"\.[ch]$")
            for f in check_file(path, tree.read(path))]


def sample(text):
    return {"rust/helpers/a.c": text}


def declared(assign, after=""):
    return {DECLARATIONS: f"TRACE_EVENT(wg_x,\n\tTP_PROTO(int a),\n\tTP_fast_assign({assign})\n);\n{after}"}


SAMPLES = [
    ("a branch in a declaration", declared("__entry->a = a ? 1 : 2;"), "'?' in it"),
    ("a call in a declaration", declared("__entry->a = f(a);"), "no assignment: __entry -> a = f ( a )"),
    ("a function among declarations", declared("", "int f(void) { return 1; }"), "no TRACE_EVENT: int"),
    ("a macro among declarations", declared("", "#define X(a) f(a)\n"), "trace.h:5: preprocessor: #define X(a)"),
    ("code among definitions", {DEFINITIONS: "#define CREATE_TRACE_POINTS\nint f(void) { return 1; }"}, "no TRACE_EVENT"),
    ("a tracepoint among helpers", sample("TRACE_EVENT(wg_x, TP_PROTO(int a));"), "not a function"),
    ("clean declarations", {
        **declared("strscpy_pad(__entry->b, b); __entry->a = a; __entry->c = dev->c;"),
        DEFINITIONS: '// SPDX\n#define CREATE_TRACE_POINTS\n#define CREATE_RUST_TRACE_POINTS\n#include "trace.h"\n',
    }, None),
    ("two statements", sample("int wg_helper_a(void) { f(); return g(); }"), "2 statements"),
    ("none", sample("void wg_helper_a(void) { }"), "0 statements"),
    ("a branch", sample("void wg_helper_a(int x)\n{\n\tif (x)\n\t\tf();\n}"), "'if' in it"),
    ("a conditional expression", sample("int wg_helper_a(int x) { return x ? f() : 0; }"), "'?' in it"),
    ("a hidden branch", sample("int wg_helper_a(int x) { return x && f(); }"), "'&&' in it"),
    ("a loop", sample("void wg_helper_a(void) { for (;;) f(); }"), "'for' in it"),
    ("a comma", sample("void wg_helper_a(void) { f(), g(); }"), "several expressions"),
    ("a statement expression", sample("int wg_helper_a(void) { return ({ f(); g(); }); }"), "'{' in it"),
    ("state", sample("static int count;"), "not a function"),
    ("state that could be a parameter", sample("static bool x = true;\nmodule_param(y, bool, 0644);"), "not a function"),
    ("a parameter", sample("static bool x = true;\nmodule_param(x, bool, 0644);"), None),
    ("state with braces", sample("struct s x = { 1 };"), "not a function"),
    ("state inside", sample("int wg_helper_a(void) { static int x; }"), "'static' in it"),
    ("another name", sample("int helper(void) { return 1; }"), "helper: the name"),
    ("more than a prefix", sample("#define pr_fmt(fmt) x() ? \"\" : fmt\n"), "preprocessor"),
    ("a macro", sample("#define X(a) if (a) f()\n"), "preprocessor"),
    ("a choice by a number", sample("#if HZ > 100\nint wg_helper_a(void) { return f(); }\n#endif\n"), "preprocessor"),
    ("a choice by the configuration", sample("#if !IS_ENABLED(CONFIG_X)\nint wg_helper_a(void) { return 0; }\n"
                                             "#else\nint wg_helper_a(void) { return f(); }\n#endif\n"), None),
    ("clean", sample("""// SPDX
/* if */
#include <linux/x.h>
#include "b.c"
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

void *wg_helper_a(const struct net_device *dev,
\t\t  u8 (*f)(int, int))
{
\tBUILD_NOTE("a; b && {}", f(dev, 1));
}
bool wg_helper_b(void) { return f(1, g(2)); /* ; */ }
MODULE_VERSION("1.0");
"""), None),
]
