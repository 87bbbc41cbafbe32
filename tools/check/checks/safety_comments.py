# SPDX-License-Identifier: GPL-2.0
"""Every unsafe block and impl has a `// SAFETY:`, every unsafe fn and trait a `# Safety`.

Clippy asks for part of this, but sees neither the bodies of macros nor code that is
configured away, and can be switched off; so that is looked for as well.
"""

from lib.rustlex import group_end, head_end, is_item_start, lex

LINTS = {"undocumented_unsafe_blocks", "missing_safety_doc", "unsafe_op_in_unsafe_fn"}
# Generated code is included there.
MAY_SILENCE = {"rust/bindings/lib.rs"}
STOPS = {";", "{", "}"}
MODIFIERS = {"pub", "const", "default", "#"}


def group_start(tokens, at):
    """Returns the index of the bracket that the one at `at` closes."""
    depth = 0
    for i in range(at, -1, -1):
        if tokens[i].kind == "punct":
            depth += (tokens[i].text in ")]}") - (tokens[i].text in "([{")
            if depth == 0:
                return i
    return 0


def comments_before(tokens, at, statement):
    """Collects the comments above `tokens[at]`: those of its statement, or of its item."""
    found, i = [], at - 1
    while i >= 0:
        token = tokens[i]
        pattern = token.text == "}" and tokens[i + 1].text == "="
        if token.kind == "comment":
            found.append(token.text)
        elif token.text == "]" or pattern or (token.text == ")" and not statement):
            # An attribute, the type of an array, a pattern, `pub(…)`: not the end of anything.
            i = group_start(tokens, i)
        elif token.text in STOPS or not (statement or token.text in MODIFIERS):
            break
        i -= 1
    return found


def trait_impls(tokens):
    """Returns the spans of `impl Trait for Type { … }`, where the trait has the docs."""
    spans = []
    for i, token in enumerate(tokens):
        if token.text == "impl" and is_item_start(tokens, i):
            end = head_end(tokens, i)
            head = tokens[i:end]
            if any(t.text == "for" and head[j + 1:j + 2] and head[j + 1].text != "<"
                   for j, t in enumerate(head)):
                spans.append((i, group_end(tokens, end)))
    return spans


def wanted(tokens, i):
    """Says what the `unsafe` at `i` needs: a kind of comment, and a name for the finding."""
    after = [t.text for t in tokens[i + 1:i + 5]] + [""] * 4
    if after[0] == "extern" and after[1].startswith('"'):
        after = after[2:]
    if after[0] == "fn":
        return ("# Safety", f"unsafe fn {after[1]}") if after[1] != "(" else (None, "a type")
    if after[0] == "trait":
        return "# Safety", f"unsafe trait {after[1]}"
    if after[0] == "impl":
        return "SAFETY:", "unsafe impl"
    return "SAFETY:", "unsafe block"


def check_file(path, text):
    tokens = lex(text)
    plain = [t for t in tokens if t.kind != "comment"]
    exempt = trait_impls(plain)
    at_plain = -1
    for i, token in enumerate(tokens):
        at_plain += token.kind != "comment"
        if token.kind != "ident":
            continue
        if token.text in LINTS and path not in MAY_SILENCE:
            yield f"{path}:{token.line}: {token.text} is not ours to switch"
        if token.text != "unsafe":
            continue
        need, what = wanted(plain, at_plain)
        if need is None or (need == "# Safety" and any(a < at_plain < b for a, b in exempt)):
            continue
        above = comments_before(tokens, i, statement=what == "unsafe block")
        if not any(need in comment for comment in above):
            yield f"{path}:{token.line}: {what} without {need!r}"


def check(tree):
    findings = []
    for path in tree.rust("rust"):
        findings += check_file(path, tree.read(path))
    return findings


K = "rust/kernel/a.rs"
SAMPLES = [
    ("a bare block", {K: "fn f() {\n    unsafe { g() }\n}"}, "a.rs:2: unsafe block"),
    ("the second block of a statement", {K: "// SAFETY: x\nf(unsafe { a() }, unsafe { b() });"}, ":2: unsafe block"),
    ("a comment inside a string", {K: 'fn f() { g("// SAFETY: x", unsafe { h() }) }'}, ":1: unsafe block"),
    ("in a macro", {K: "macro_rules! m { () => { unsafe { g() } } }"}, "unsafe block"),
    ("an impl", {K: "// SAFETY: of the other\nunsafe impl A for B {}\nunsafe impl C for B {}"}, ":3: unsafe impl"),
    ("a function", {K: "/// Does.\npub unsafe fn f() {}"}, "unsafe fn f"),
    ("a callback", {K: 'impl A { /// # Safety\nfn x() {}\nunsafe extern "C" fn f() {} }'}, "unsafe fn f"),
    ("a trait", {K: "pub unsafe trait T {}"}, "unsafe trait T"),
    ("a silenced lint", {K: "#![allow(clippy::undocumented_unsafe_blocks)]"}, "not ours"),
    ("clean", {K: """
// SAFETY: a
let x = unsafe { f() };
let y = S {
    // SAFETY: b
    f: unsafe { f() },
};
/// Does.
///
/// # Safety
///
/// None.
#[inline]
pub(in crate::a) const unsafe extern "C" fn f(g: unsafe fn(u8), h: Option<unsafe extern "C" fn()>) {}
// SAFETY: c
#[cfg(x)]
unsafe impl<T> A for B<T> where T: for<'a> C<'a> { unsafe fn inner() {} }
// SAFETY: f
let z: [u8; 4] = unsafe { f() };
// SAFETY: g
let S { a, b } = unsafe { f() };
match x {
    // SAFETY: d
    A if y => unsafe { f() },
    // SAFETY: e
    _ => g(|| unsafe { f() }),
}
"""}, None),
]
