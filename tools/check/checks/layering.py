# SPDX-License-Identifier: GPL-2.0
"""Which crate may know which: see ARCHITECTURE.md.

Kbuild's `--extern` keeps most of it, but `-L` is enough for `extern crate`, and every
crate gets `kernel`, whose bindings are public. So both are looked at: what the built
objects were given, and what the sources name.
"""

from lib import kcmd
from lib.rustlex import code, group_end, head_end
from lib.tree import Skip

KERNEL = {"kernel", "pin_init", "zerocopy", "zerocopy_derive"}
EXTERNS = {
    "rust/bindings/lib.o": KERNEL,
    "rust/proto/lib.o": KERNEL,
    "rust/kernel/lib.o": KERNEL | {"wg_bindings"},
    "rust/driver/wireguard.o": KERNEL | {"kext", "wg_proto"},
}
# Never to be named, in the crate of the folder.
NEVER = {
    "rust/driver": {"wg_bindings", "bindings"},
    "rust/kernel": {"wg_proto", "wireguard"},
    "rust/proto": {"kernel", "kext", "wg_bindings", "pin_init", "std", "alloc", "ffi", "uapi", "macros"},
    "rust/bindings": {"kext", "wg_proto", "wireguard"},
}
PROTO_IMPORTS = {"core", "crate", "self", "super", "zerocopy", "zerocopy_derive"}


def without_tests(tokens):
    """Leaves out items under `#[cfg(test)]` and KUnit's attribute: they are not in the module."""
    kept, i = [], 0
    while i < len(tokens):
        if tokens[i].text == "#" and i + 1 < len(tokens) and tokens[i + 1].text == "[":
            end = group_end(tokens, i + 1)
            words = [t.text for t in tokens[i:end]]
            if words[2:4] == ["cfg", "("] and words[4:6] in (["test", ")"], ["any", "("]) and "test" in words:
                while end < len(tokens) and tokens[end].text == "#":
                    end = group_end(tokens, end + 1)
                stop = head_end(tokens, end)
                i = group_end(tokens, stop) if stop < len(tokens) and tokens[stop].text == "{" else stop + 1
                continue
            if "kunit_tests" in words:
                i = end
                continue
        kept.append(tokens[i])
        i += 1
    return kept


def use_roots(tokens):
    """Yields the first names of the paths that a file imports."""
    for i, token in enumerate(tokens):
        if token.text == "use" and token.kind == "ident" and i + 1 < len(tokens):
            first = tokens[i + 1]
            if first.text == "::":
                first = tokens[i + 2]
            if first.text == "{":
                inner = tokens[i + 2:group_end(tokens, i + 1) - 1]
                depth, fresh = 0, True
                for t in inner:
                    depth += (t.text == "{") - (t.text == "}")
                    if fresh and depth == 0 and t.kind == "ident":
                        yield t
                    fresh = depth == 0 and t.text == ","
            else:
                yield first


def names(tokens, forbidden):
    """Yields forbidden names where they can only be a crate or a module: in a path or an import."""
    roots = {id(t) for t in use_roots(tokens)}
    for i, token in enumerate(tokens):
        if token.kind != "ident" or token.text.removeprefix("r#") not in forbidden:
            continue
        before = tokens[i - 1].text if i else ""
        after = tokens[i + 1].text if i + 1 < len(tokens) else ""
        local = i > 1 and before == "::" and tokens[i - 2].text in ("crate", "self", "super")
        if not local and (after == "::" or id(token) in roots or before == "::"
                          or (before in ("{", ",") and after in ("}", ",", "as"))):
            yield token


def re_exports(path, tokens):
    """Yields public imports of bindings: they would open them to the driver under another name."""
    for i, token in enumerate(tokens[:-1]):
        if token.text == "pub" and tokens[i + 1].text == "use":
            for t in tokens[i:head_end(tokens, i, stops=(";",))]:
                if t.text in ("bindings", "wg_bindings"):
                    yield f"{path}:{t.line}: makes bindings public"


def check_source(tree, folder):
    for path in tree.rust(folder):
        tokens = code(tree.read(path))
        if folder == "rust/proto":
            tokens = without_tests(tokens)
            own = {p.split("/")[-1][:-3] for p in tree.rust(folder)}
            for token in use_roots(tokens):
                if token.text not in PROTO_IMPORTS | own | NEVER[folder] and not token.text[0].isupper():
                    yield f"{path}:{token.line}: imports {token.text}"
        if folder == "rust/kernel":
            yield from re_exports(path, tokens)
        for one, two in zip(tokens, tokens[1:]):
            if (one.text, two.text) == ("extern", "crate"):
                yield f"{path}:{one.line}: extern crate goes around the list of crates in Kbuild"
        for token in names(tokens, NEVER[folder]):
            yield f"{path}:{token.line}: names {token.text}"


def check(tree):
    findings = [f for folder in NEVER for f in check_source(tree, folder)]
    for obj, expected in EXTERNS.items():
        try:
            got = kcmd.externs(tree, obj)
        except Skip:
            if (tree.root / "Kbuild").exists():
                findings.append(f"{obj}: not built, so its crates cannot be seen")
            continue
        for name in sorted(got - expected):
            findings.append(f"{obj}: is given --extern {name}")
    return findings


def cmd(externs):
    return "savedcmd_x := A=b rustc " + " ".join(f"--extern {e}" for e in externs.split()) + " x.rs\n\nsource := x\n"


D, P = "rust/driver/a.rs", "rust/proto/a.rs"
SAMPLES = [
    ("bindings in the driver", {D: "fn f() { kernel::bindings::g() }"}, "a.rs:1: names bindings"),
    ("imported from a list", {D: "use kernel::{\n bindings,\n prelude::*};"}, "a.rs:2: names bindings"),
    ("under another name", {D: "use kernel::{bindings as b};"}, "names bindings"),
    ("extern crate", {D: "extern crate wg_bindings as x;"}, "extern crate"),
    ("bindings made public", {"rust/kernel/a.rs": "pub use {crate::bindings as raw};"}, "makes bindings public"),
    ("the protocol in kext", {"rust/kernel/a.rs": "use wg_proto::key;"}, "names wg_proto"),
    ("the kernel in proto", {P: "use kernel::prelude::*;"}, "names kernel"),
    ("std in proto", {P: "fn f() -> std::vec::Vec<u8> {}"}, "names std"),
    ("another crate in proto", {P: "use {core::fmt, rand::Rng};"}, "imports rand"),
    ("too many crates", {"rust/driver/.wireguard.o.cmd": cmd("kernel kext wg_bindings")}, "--extern wg_bindings"),
    ("proto with kext", {"rust/proto/.lib.o.cmd": cmd("kernel kext")}, "--extern kext"),
    ("clean", {
        D: "use kext::{crypto, net::skb}; // kernel::bindings\nfn f() { let bindings = 1; x(bindings); }",
        "rust/kernel/a.rs": "pub(crate) use crate::bindings; pub use self::{a::B, c};",
        P: "use core::fmt; use crate::b::{X, Y}; use zerocopy::FromBytes; use super::b;\n"
           "#[cfg(any(test, CONFIG_KUNIT = \"y\"))]\n"
           "#[cfg_attr(not(test), kernel::macros::kunit_tests(x))]\nmod tests { use super::*; }\n"
           "#[cfg(test)]\nmod more { use std::vec::Vec; }",
        "rust/driver/.wireguard.o.cmd": cmd("kext wg_proto pin_init kernel"),
    }, None),
]
