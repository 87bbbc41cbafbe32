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


def _flags(tree, obj, *dropped):
    """Returns environment and arguments of the command for `obj`, without its outputs and these
    options."""
    env, words = saved(tree, obj)
    keep, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("--out-dir", *dropped):
            skip = True
        elif not word.startswith("--emit="):
            keep.append(word)
    # The kernel uses unstable features of a stable compiler; its make exports this.
    return {**os.environ, **env, "RUSTC_BOOTSTRAP": "1"}, keep


def _for_source(tree, obj):
    """Returns the same for another source, whose file names the crate."""
    env, words = _flags(tree, obj, "--crate-name")
    return env, [word for word in words if not word.endswith(".rs")]


def rustc(tree, source, output, *more, obj=DRIVER):
    """Compiles `source` to the object `output` with the flags of `obj`."""
    env, words = _for_source(tree, obj)
    return subprocess.run(
        words + [f"--emit=obj={output}", *more, str(source)],
        cwd=tree.root, env=env, capture_output=True, text=True, check=False)


def mir(tree, obj=DRIVER, source=None):
    """Returns the MIR of `obj`, or of `source` compiled as that.

    It is what code is generated from, so drops are elaborated: what was moved on a path is not
    dropped there, and a value that was moved on some paths has a flag. Without optimizations, which
    would put functions of other crates and their drops into ours, and forget branches that tell
    what is left to drop. No code is generated.
    """
    env, words = _for_source(tree, obj) if source else _flags(tree, obj)
    run = subprocess.run(
        words + ["-Zunpretty=mir", "-Zmir-opt-level=0", "-Zmir-include-spans=on", *([str(source)] if source else [])],
        cwd=tree.root, env=env, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{source or obj}: no MIR (run make first?)\n{run.stderr[-2000:]}")
    return run.stdout


def kernel_cc(kdir):
    """Returns the compiler that configured the tree, as an argument for make."""
    for line in (kdir / "include/config/auto.conf").read_text().splitlines():
        if line.startswith("CONFIG_CC_VERSION_TEXT="):
            return ["CC=" + line.partition("=")[2].strip('"').split()[0]]
    return []
