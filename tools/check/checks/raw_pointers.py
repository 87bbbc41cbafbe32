# SPDX-License-Identifier: GPL-2.0
"""No safe public function, trait method or field of rust/kernel shows a raw pointer.

A safe function that takes one trusts its caller; one that returns one
hands out what only `unsafe` can use, and so asks the driver for it.
"""

from lib.rustlex import code, group_end, head_end, is_item_start

RESTRICTED = ("(",)  # `pub(crate)` and its like are not public.
ITEMS = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "use",
         "unsafe", "extern", "macro", "async", "crate"}


def aliases(tokens):
    """Yields names that stand for a raw pointer: `type Name = *mut T;`, but not in an impl."""
    i = 0
    while i + 1 < len(tokens):
        if tokens[i].text == "impl" and is_item_start(tokens, i):
            i = group_end(tokens, head_end(tokens, i))
            continue
        if tokens[i].text == "type" and raw(tokens[i + 2:head_end(tokens, i)], ()):
            yield tokens[i + 1].text
        i += 1


def raw(tokens, names):
    """Says whether a raw pointer type is written in `tokens`."""
    return any((t.text == "*" and n.text in ("const", "mut"))
               for t, n in zip(tokens, tokens[1:])) or any(
        t.kind == "ident" and (t.text == "NonNull" or t.text in names) for t in tokens)


def field_end(tokens, at):
    """Returns the index of the comma or bracket that ends the field at `at`."""
    while at < len(tokens) and tokens[at].text not in (",", ")", "}"):
        at = group_end(tokens, at) if tokens[at].text in ("(", "[", "{") else at + 1
    return at


def public_parts(tokens):
    """Yields (line, name, tokens of the type or signature) of all that is public and safe."""
    for i, token in enumerate(tokens):
        if token.kind != "ident" or token.text != "pub" or i + 1 >= len(tokens):
            continue
        first = tokens[i + 1]
        if first.text in RESTRICTED and tokens[i + 2].text in ("crate", "super", "self", "in"):
            continue
        if first.text not in ITEMS:
            end = field_end(tokens, i + 1)
            yield token.line, f"field {first.text}", tokens[i + 1:end]
            continue
        end = head_end(tokens, i)
        head = tokens[i:end]
        words = [t.text for t in head]
        kind = next((w for w in words[1:] if w in ("fn", "trait", "enum", "struct", "type", "const", "static")
                     and not (w == "const" and "fn" in words[:5])), None)
        if kind == "fn" and "unsafe" not in words[:words.index("fn")]:
            yield token.line, f"fn {words[words.index('fn') + 1]}", head
        elif kind in ("const", "static"):
            upto = words.index("=") if "=" in words else len(words)
            yield token.line, f"{kind} {words[2]}", head[:upto]
        elif kind == "type":
            yield token.line, f"type {words[2]}", head
        elif kind == "enum":
            yield token.line, f"enum {words[2]}", tokens[end:group_end(tokens, end)]
        elif kind == "trait":
            name = words[words.index("trait") + 1]
            yield from methods(tokens, end, group_end(tokens, end), name)


def methods(tokens, start, end, trait):
    i = start + 1
    while i < end:
        if tokens[i].kind == "ident" and tokens[i].text in ("fn", "type", "const"):
            stop = head_end(tokens, i)
            before = {t.text for t in tokens[max(start, i - 3):i]}
            if not (tokens[i].text == "fn" and "unsafe" in before):
                yield tokens[i].line, f"{trait}::{tokens[i + 1].text}", tokens[i:stop]
            i = group_end(tokens, stop) if stop < end and tokens[stop].text == "{" else stop
        i += 1


def check(tree):
    files = {path: code(tree.read(path)) for path in tree.rust("rust/kernel")}
    names = {name for tokens in files.values() for name in aliases(tokens)}
    return [f"{path}:{line}: {what} has a raw pointer" for path, tokens in files.items()
            for line, what, part in public_parts(tokens) if raw(part, names)]


K = "rust/kernel/a.rs"
SAMPLES = [
    ("an argument", {K: "impl A { pub fn f(x: *mut u8) {} }"}, "fn f has"),
    ("a return value", {K: "pub const fn f<'a>(&'a self) -> Option<NonNull<T>> { x }"}, "fn f has"),
    ("a bound", {K: "pub fn f<F>(f: F) where F: Fn(*const u8) {}"}, "fn f has"),
    ("under an alias", {K: "pub fn f(x: Ptr) {}", "rust/kernel/b.rs": "type Ptr = *mut u8;"}, "fn f has"),
    ("a trait's method", {K: "pub trait T: Sized { fn a(&self); unsafe fn u(x: *mut u8); fn f(x: *mut u8) {} }"}, "T::f has"),
    ("a field", {K: "pub struct S<T> { a: *mut T, pub b: *const T }"}, "field b has"),
    ("a tuple's field", {K: "pub struct S(pub NonNull<u8>);"}, "has a raw"),
    ("a variant", {K: "pub enum E { A(*mut u8) }"}, "enum E"),
    ("a C function", {K: 'pub extern "C" fn f(x: *mut u8) {}'}, "fn f has"),
    ("clean", {K: """
/// fn x(p: *mut u8)
pub unsafe fn f(x: *mut u8) -> NonNull<u8> {}
pub(crate) fn g(x: *mut u8) {}
fn h(x: *mut u8) {}
pub struct S { p: NonNull<u8>, pub(super) q: *mut u8, pub r: u8 }
pub struct U(*mut u8, pub u32);
pub const F: usize = x as *mut u8 as usize;
pub fn w<T, const N: usize>() -> A<{ N + 1 }> where T: Sized, { let p: *mut u8; }
pub fn i(a: u32, b: &mut u8) -> u32 { let p: *mut u8 = b; a * mutable }
pub unsafe trait T { unsafe fn a(x: *mut u8); fn b(&self) { let x: *mut u8; } }
trait Private { fn f(x: *mut u8); }
impl Private for S { type U = *mut u8; fn f(x: *mut u8) {} }
"""}, None),
]
