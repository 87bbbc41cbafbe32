# SPDX-License-Identifier: GPL-2.0
"""clippy, warnings as errors, over what cargo builds: the protocol core and its tests."""

import os
import re
import shutil
import subprocess

from checks.clippy import findings
from lib.tree import Skip

PLACE = "tools/host"
MISSING = re.compile(r"(failed to (download|get) .*|no matching package named .*)")


def check(tree):
    folder = tree.root.resolve() / PLACE
    if not (folder / "Cargo.toml").exists():
        raise Skip(f"no {PLACE}/Cargo.toml")
    if not shutil.which("cargo-clippy"):
        raise Skip("cargo or its clippy is not here")
    env = {"CARGO_TARGET_DIR": str(tree.root.resolve() / "out/check/host"), **os.environ, "CARGO_TERM_COLOR": "never"}
    run = subprocess.run(["cargo", "clippy", "--quiet", "--locked", "--offline", "--all-targets", "--", "-Dwarnings"],
                         cwd=folder, env=env, capture_output=True, text=True, check=False)
    # Checks have no network: without the dependencies this is for who has them.
    if run.returncode and (missing := MISSING.search(run.stderr)):
        raise Skip(f"cargo has not got the dependencies: {missing[0]} (make test-host gets them)")
    # cargo writes paths from the package's folder; those above it are ours as well.
    found = findings(run, tree.root.resolve())
    return sorted({line.replace("../../", "") if line.startswith("../") else line for line in found})


MANIFEST = ('[package]\nname = "sample"\nversion = "0.0.0"\nedition = "2021"\n'
            '[lib]\npath = "../../rust/proto/lib.rs"\n')
LOCK = 'version = 4\n\n[[package]]\nname = "sample"\nversion = "0.0.0"\n'


def sample(text):
    return {f"{PLACE}/Cargo.toml": MANIFEST, f"{PLACE}/Cargo.lock": LOCK, "rust/proto/lib.rs": text}


SAMPLES = [
    ("a lint of clippy", sample("//! S.\n/// F.\npub fn f(x: &[u8]) -> bool {\n    x.len() == 0\n}\n"), "rust/proto/lib.rs:4"),
    ("in a test", sample("//! S.\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        let x = 1;\n    }\n}\n"), "lib.rs:6"),
    ("clean", sample("//! S.\n/// F.\npub fn f() {}\n"), None),
]
