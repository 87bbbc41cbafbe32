#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Adds our crates to the rust-project.json that the kernel's generator wrote for the checkout.

That generator gives every crate of a module the same dependencies and knows none of ours. It also
ran in the trixie root, so the standard library's source is looked for there.

usage: rust_analyzer.py CHECKOUT ROOT
"""

import json
import pathlib
import sys

# Crate, file, crates of ours it uses: as the file Kbuild has it.
CRATES = [
    ("wg_bindings", "rust/bindings/lib.rs", []),
    ("wg_proto", "rust/proto/lib.rs", []),
    ("kext", "rust/kernel/lib.rs", ["wg_bindings"]),
    ("wireguard", "rust/driver/wireguard.rs", ["kext", "wg_proto"]),
]

# What Kbuild gives to each crate of a module.
COMMON = ["core", "kernel", "pin_init", "zerocopy", "zerocopy_derive"]


def main() -> None:
    checkout, root = (pathlib.Path(word) for word in sys.argv[1:3])
    path = checkout / "rust-project.json"
    project = json.loads(path.read_text())

    ours = {str(checkout / file) for _, file, _ in CRATES}
    crates = [crate for crate in project["crates"] if crate["root_module"] not in ours]
    for crate in crates:
        if crate["root_module"].startswith("/usr/"):
            crate["root_module"] = f"{root}{crate['root_module']}"
        crate["is_workspace_member"] = False
    project["sysroot"] = f"{root}/usr"

    index = {crate["display_name"]: number for number, crate in enumerate(crates)}
    kernel = crates[index["kernel"]]
    for name, file, uses in CRATES:
        index[name] = len(crates)
        crates.append({
            "display_name": name,
            "root_module": str(checkout / file),
            "is_workspace_member": True,
            "deps": [{"crate": index[used], "name": used} for used in COMMON + uses],
            "cfg": kernel["cfg"] + ["MODULE"],
            "edition": "2021",
            "env": dict(kernel["env"], WG_OBJTREE=str(checkout), RUST_MODFILE=str(checkout / "wireguard")),
            "source": {"include_dirs": [str(checkout / "rust")], "exclude_dirs": []},
        })

    project["crates"] = crates
    path.write_text(json.dumps(project, sort_keys=True, indent=4))


if __name__ == "__main__":
    main()
