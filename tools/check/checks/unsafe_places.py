# SPDX-License-Identifier: GPL-2.0
"""`unsafe` only in rust/kernel and where unsafe.allow says; forbidden at the roots.

The lint `unsafe_code` alone would not do: it does not look at code that is
configured away, nor at crates whose root forgot it.
"""

from lib.rustlex import code, head_end, show
from lib.tree import Allowed

ROOTS = ("rust/proto/lib.rs", "rust/driver/wireguard.rs")


def forbids_unsafe(tokens):
    """Looks for `#![forbid(unsafe_code)]` among the inner attributes at the start."""
    i = 0
    while i + 2 < len(tokens) and [t.text for t in tokens[i:i + 3]] == ["#", "!", "["]:
        end = next((j for j in range(i, len(tokens)) if tokens[j].text == "]"), len(tokens))
        words = [t.text for t in tokens[i + 3:end]]
        if words[:2] == ["forbid", "("] and "unsafe_code" in words:
            return True
        i = end + 1
    return False


def check(tree):
    allowed, findings = Allowed(tree, "unsafe.allow"), []
    for path in tree.rust():
        tokens = code(tree.read(path))
        if path in ROOTS and not forbids_unsafe(tokens):
            findings.append(f"{path}:1: no #![forbid(unsafe_code)] among the crate's first lines")
        if path.startswith("rust/kernel/"):
            continue
        for i, token in enumerate(tokens):
            # `global_asm!` needs no `unsafe`, but can do anything.
            if token.kind != "ident" or token.text not in ("unsafe", "global_asm"):
                continue
            head = show(tokens[i:head_end(tokens, i)])
            if not allowed.covers(lambda where, what: where == path and what in ("*", head)):
                findings.append(f"{path}:{token.line}: {head}")
    return findings + allowed.findings()


ROOT = "#![forbid(unsafe_code)]\n"
SAMPLES = [
    ("unsafe in the driver",
     {"rust/driver/wireguard.rs": ROOT + "fn f() { unsafe { g() } }"}, "wireguard.rs:2: unsafe"),
    ("in code that is never compiled",
     {"tools/host/x.rs": "#[cfg(never)]\nunsafe impl Send for X {}"}, "x.rs:2: unsafe impl Send for X"),
    ("a root that does not forbid", {"rust/proto/lib.rs": "mod a;"}, "no #![forbid"),
    ("a root that forbids only sometimes",
     {"rust/proto/lib.rs": "#![cfg_attr(x, forbid(unsafe_code))]"}, "no #![forbid"),
    ("an attribute", {"rust/proto/a.rs": "#[unsafe(no_mangle)]\nfn f() {}"}, "a.rs:1"),
    ("assembly", {"rust/driver/a.rs": "core::arch::global_asm!(\"nop\");"}, "global_asm"),
    ("an entry nobody needs",
     {"unsafe.allow": "a.rs | unsafe impl X for Y | because"}, "nothing needs"),
    ("an entry without a reason", {"unsafe.allow": "a.rs | unsafe impl X for Y"}, "unsafe.allow:1"),
    ("clean", {
        "rust/proto/lib.rs": "//! d\n#![no_std]\n" + ROOT,
        "rust/driver/wireguard.rs": ROOT + '// unsafe {\n/* unsafe /* fn */ unsafe */ fn f<\'unsafe_>() {'
        ' let _ = ("unsafe {", r#"unsafe "{"#, b"unsafe", \'"\', \'\\\'\'); let r#unsafe = unsafe_name; }',
        "rust/kernel/a.rs": "unsafe fn f() {}",
        "rust/bindings/lib.rs": "unsafe impl<T> Zeroable for A<T> {}",
        "unsafe.allow": "rust/bindings/lib.rs | unsafe impl<T> Zeroable for A<T> | why not",
    }, None),
]
