# SPDX-License-Identifier: GPL-2.0
"""No macro of rust/kernel puts what its caller wrote inside `unsafe`.

`forbid(unsafe_code)` in the driver does not see into macros of other crates: one that
expands to `unsafe { f($x) }` would let the driver do anything in `$x`. Macros bind
`$x` outside, then use the variable.
"""

from lib.rustlex import code, group_end, head_end


def unsafe_regions(body):
    """Yields the spans of a macro's body that the compiler treats as unsafe."""
    for i, token in enumerate(body):
        if token.kind == "ident" and token.text == "unsafe":
            start = head_end(body, i)
            yield i, group_end(body, start) if start < len(body) and body[start].text == "{" else start


def captured(tokens):
    """Yields the tokens that stand for what the caller wrote."""
    for dollar, name in zip(tokens, tokens[1:]):
        if dollar.text == "$" and name.kind == "ident" and name.text != "crate":
            yield name


def check_file(path, text):
    tokens = code(text)
    for i, token in enumerate(tokens):
        if token.text != "macro_rules" or [t.text for t in tokens[i + 1:i + 2]] != ["!"]:
            continue
        name = tokens[i + 2].text
        body = tokens[i + 3:group_end(tokens, i + 3)]
        for start, end in unsafe_regions(body):
            for use in captured(body[start:end]):
                yield f"{path}:{use.line}: {name}! puts ${use.text} inside unsafe"


def check(tree):
    return sorted({f for path in tree.rust("rust/kernel", "rust/bindings")
                   for f in check_file(path, tree.read(path))})


K = "rust/kernel/a.rs"
SAMPLES = [
    ("in a block", {K: "macro_rules! m { ($x:expr) => { unsafe { f($x) } } }"}, "m! puts $x"),
    ("deep in a block",
     {K: "macro_rules! m { ($($x:tt)*) => {{ let a = 1; unsafe { f({ [$($x)*] }) } }} }"}, "puts $x"),
    ("as the block", {K: "macro_rules! m { ($b:block) => { unsafe $b }; }"}, "puts $b"),
    ("in an impl", {K: "macro_rules! m { ($t:ty, $e:expr) => {\nunsafe impl T for X { const O: usize = $e; } } }"}, ":2: m! puts $e"),
    ("as the type of an impl", {K: "macro_rules! m { ($t:ty) => { unsafe impl T for $t {} } }"}, "puts $t"),
    ("in a function", {K: 'macro_rules! m { ($e:expr) => { unsafe extern "C" fn f() { $e } } }'}, "puts $e"),
    ("handed to another macro", {K: "macro_rules! m { ($e:expr) => { unsafe { n!($e) } } }"}, "puts $e"),
    ("clean", {K: """
macro_rules! m {
    // unsafe { $x }
    ($x:expr, $($y:ident),*) => {{
        let x = $x;
        let s = "unsafe { $x }";
        // SAFETY: x
        unsafe { $crate::f(x) };
        $($y)*
    }};
    ($z:ty) => { <$z>::new() };
}
fn f() { unsafe { g() } }
"""}, None),
]
