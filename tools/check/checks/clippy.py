# SPDX-License-Identifier: GPL-2.0
"""clippy, warnings as errors, over the module: Kbuild's CLIPPY=1 in a copy of the checkout.

In a copy, because clippy may change what is generated: its objects must not be shipped.
The copy stays in out/, so that the next run only looks at what has changed.
"""

import filecmp
import os
import re
import shutil
import subprocess

from lib.kcmd import kernel_cc
from lib.tree import Skip

# What our rules need, whatever the kernel's list becomes, or ask for beyond it; not of generated
# bindings.
EXTRA = ("-Dunsafe_op_in_unsafe_fn -Dclippy::undocumented_unsafe_blocks -Dclippy::missing_safety_doc"
         " --force-warn=clippy::multiple_unsafe_ops_per_block")
CRATES = ("rust/proto/lib", "rust/kernel/lib", "rust/driver/wireguard")


def copy_sources(tree, to):
    """Brings `to` up to date, leaving alone what has not changed."""
    wanted = {f for f in tree.files("rust", name=r"\.(rs|c|h|mk)$|(bindgen_parameters|VERSION)$") if "/." not in f}
    for path in wanted:
        target = to / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or not filecmp.cmp(tree.root / path, target, shallow=False):
            shutil.copyfile(tree.root / path, target)
    flags = "".join(f"RUSTFLAGS_{crate}.o += {EXTRA}\n" for crate in CRATES)
    (to / "Kbuild").write_text(tree.read("Kbuild") + "\n" + flags)
    for path in to.rglob("*.rs"):
        if not path.name.endswith("_generated.rs") and str(path.relative_to(to)) not in wanted:
            path.unlink()


def check(tree):
    kdir = tree.need_kdir()
    if not (tree.root / "Kbuild").exists():
        raise Skip("no Kbuild")
    copy = tree.root.resolve() / "out/check/clippy"
    copy.mkdir(parents=True, exist_ok=True)
    copy_sources(tree, copy)
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    run = subprocess.run(
        ["make", "-s", "-k", "-C", str(kdir), f"M={copy}", "CLIPPY=1", *kernel_cc(kdir),
         "KRUSTFLAGS=-Dwarnings", *(f"{c}.o" for c in CRATES if (copy / f"{c}.rs").exists())],
        env=env, capture_output=True, text=True, check=False)
    found = [line for line in findings(run, copy) if not is_container_of(copy, line)]
    for crate in CRATES:
        # What only warns has been compiled, and make would not tell again.
        if any(line.startswith(crate.rpartition("/")[0]) for line in found):
            (copy / f"{crate}.o").unlink(missing_ok=True)
    return found


def is_container_of(copy, finding):
    """The kernel's macro is one operation to its user, two to the lint."""
    path, line = finding.split(":")[:2]
    if "unsafe operations" not in finding:
        return False
    text = (copy / path).read_text().splitlines()[int(line) - 1:int(line) + 1]
    return re.search(r"unsafe \{\s*(kernel::)?container_of!\([^;]*\)\s*\}", "\n".join(text)) is not None


def findings(run, copy):
    """Shortens rustc's messages to a line each."""
    found = []
    lines = (run.stderr + run.stdout).replace(f"{copy}/", "").splitlines()
    for line, after in zip(lines, lines[1:] + [""]):
        place = re.match(r"\s*--> (\S+)", after)
        if re.match(r"(error|warning)(\[\w+\])?: ", line) and place:
            found.append(f"{place[1]}: {line}")
    if run.returncode and not found:
        found = lines[-20:] or ["make failed and said nothing"]
    return found


KBUILD = "obj-m := wireguard.o\nwireguard-y := rust/driver/wireguard.o rust/kernel/lib.o\n"
CLEAN = "//! Sample.\n#![forbid(unsafe_code)]\n"
SAMPLES = [
    ("a lint of clippy", {"Kbuild": KBUILD, "rust/driver/wireguard.rs": CLEAN +
                          "pub(crate) fn f(x: u8) -> bool {\n    if x == 1 { return true; } else { return false; }\n}\n"},
     "rust/driver/wireguard.rs:4"),
    ("a warning of the compiler", {"Kbuild": KBUILD, "rust/driver/wireguard.rs": CLEAN + "fn unused() {}\n"},
     "wireguard.rs:3"),
    ("two operations in a block", {"Kbuild": KBUILD, "rust/kernel/lib.rs":
     "//! Sample.\n/// F.\npub fn f() {\n    // SAFETY: X.\n    unsafe {\n        g();\n        g();\n    }\n}\n"
     "/// G.\n///\n/// # Safety\n///\n/// None.\npub unsafe fn g() {}\n"}, "lib.rs:5"),
    ("clean", {"Kbuild": KBUILD, "rust/driver/wireguard.rs": CLEAN + "/// F.\npub fn f() {}\n"}, None),
]
