#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# rust-project.json: the kernel's crates by its own generator, ours added.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

kernel=$(kernel_folder)
step "wireguard.ko, for its generated bindings" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
step "the kernel's crates" "$WG_OUT/log/rust-analyzer.log" "$WG_TOP/tools/build.sh" rust-analyzer
step "our crates" "$WG_OUT/log/rust-analyzer.log" \
	in_root -b "$kernel" python3 "$WG_TOP/tools/build/py/rust_analyzer.py" "$WG_TOP" "$(root_folder)"
echo "rust-project.json is written"
