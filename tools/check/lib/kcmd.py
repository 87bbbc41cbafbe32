# SPDX-License-Identifier: GPL-2.0
"""How Kbuild compiled an object, and compiling something else the same way."""

import os
import shlex
import subprocess

from lib.tree import Skip

DRIVER = "rust/driver/wireguard.o"


def saved(tree, obj):
    """Returns environment and arguments of the command that made `obj`."""
    folder, name = os.path.split(obj)
    path = tree.root / folder / f".{name}.cmd"
    if not path.exists():
        raise Skip(f"{obj} is not built (run make first)")
    line = path.read_text().split("\n", 1)[0].split(":=", 1)[1]
    words = shlex.split(line)
    env = {}
    while words and "=" in words[0] and not words[0].startswith("-"):
        key, value = words.pop(0).split("=", 1)
        env[key] = value
    return env, words


def externs(tree, obj):
    """Returns the crates that `obj` could name."""
    _, words = saved(tree, obj)
    return {b.split("=")[0] for a, b in zip(words, words[1:]) if a == "--extern"}


def rustc(tree, source, output, *more, obj=DRIVER):
    """Compiles `source` to the object `output` with the flags of `obj`."""
    env, words = saved(tree, obj)
    keep, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("--out-dir", "--crate-name"):
            skip = True
        elif not word.startswith("--emit=") and not word.endswith(".rs"):
            keep.append(word)
    # The kernel uses unstable features of a stable compiler; its make exports this.
    env["RUSTC_BOOTSTRAP"] = "1"
    return subprocess.run(
        keep + [f"--emit=obj={output}", *more, str(source)],
        cwd=tree.root, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def kernel_cc(kdir):
    """Returns the compiler that configured the tree, as an argument for make."""
    for line in (kdir / "include/config/auto.conf").read_text().splitlines():
        if line.startswith("CONFIG_CC_VERSION_TEXT="):
            return ["CC=" + line.partition("=")[2].strip('"').split()[0]]
    return []
