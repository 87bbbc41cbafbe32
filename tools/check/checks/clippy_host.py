# SPDX-License-Identifier: GPL-2.0
"""clippy, warnings as errors, over what cargo builds for the host: the protocol core with its
tests, the comparison."""

import os
import re
import shutil
import subprocess

from checks.clippy import findings
from lib.tree import Skip

PLACE = "tools/host"
PLACES = (PLACE, "tools/diff")
MISSING = re.compile(r"(failed to (download|get) .*|no matching package named .*)")
BELOW = re.compile(r"^[^\s/][^\s:]*\.rs:")


def check(tree):
    if not shutil.which("cargo-clippy"):
        raise Skip("cargo or its clippy is not here")
    places = [place for place in PLACES if (tree.root / place / "Cargo.toml").exists()]
    if not places:
        raise Skip(f"no Cargo.toml in {' or '.join(PLACES)}")
    return sorted({line for place in places for line in check_place(tree.root.resolve(), place)})


def check_place(root, place):
    env = {"CARGO_TARGET_DIR": str(root / "out/check/host"), **os.environ, "CARGO_TERM_COLOR": "never"}
    run = subprocess.run(["cargo", "clippy", "--quiet", "--locked", "--offline", "--all-targets", "--", "-Dwarnings"],
                         cwd=root / place, env=env, capture_output=True, text=True, check=False)
    # Checks have no network: skip if cargo lacks the dependencies.
    if run.returncode and (missing := MISSING.search(run.stderr)):
        raise Skip(f"cargo has not got the dependencies: {missing[0]} (make test PART=host gets them)")
    # cargo writes paths from the package's folder; those above it are ours as well.
    return {line.replace("../../", "") if line.startswith("../") else BELOW.sub(rf"{place}/\g<0>", line)
            for line in findings(run, root)}


MANIFEST = ('[package]\nname = "sample"\nversion = "0.0.0"\nedition = "2021"\n'
            '[lib]\npath = "../../rust/proto/lib.rs"\n')
LOCK = 'version = 4\n\n[[package]]\nname = "sample"\nversion = "0.0.0"\n'


def program(text):
    manifest = MANIFEST.replace('[lib]\npath = "../../rust/proto/lib.rs"', '[workspace]')
    return {"tools/diff/Cargo.toml": manifest, "tools/diff/Cargo.lock": LOCK, "tools/diff/src/main.rs": text}


def sample(text):
    return {f"{PLACE}/Cargo.toml": MANIFEST, f"{PLACE}/Cargo.lock": LOCK, "rust/proto/lib.rs": text}


SAMPLES = [
    ("a lint of clippy", sample("//! S.\n/// F.\npub fn f(x: &[u8]) -> bool {\n    x.len() == 0\n}\n"), "rust/proto/lib.rs:4"),
    ("in a test", sample("//! S.\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        let x = 1;\n    }\n}\n"), "lib.rs:6"),
    ("in the comparison", program("fn main() {\n    let x = 1;\n}\n"), "tools/diff/src/main.rs:2"),
    ("a clean one", program("fn main() {}\n"), None),
    ("clean", sample("//! S.\n/// F.\npub fn f() {}\n"), None),
]
