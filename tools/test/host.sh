#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests on the host, by the root's own cargo: of the protocol core, of the program that compares two
# drivers, and litmus tests of the order in which CPUs see what others write.
# usage: host.sh [ARGUMENTS OF cargo test]   (with arguments: only the protocol core)

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2016 # the shell in the root expands it
in_root sh -c 'cd tools/host && exec cargo test --locked --no-fail-fast "$@"' - "$@"
if ((!$#)); then
	# shellcheck disable=SC2016
	in_root sh -c 'cd tools/diff && CARGO_TARGET_DIR=$CARGO_TARGET_DIR/diff exec cargo test --locked --no-fail-fast'
	"$WG_TOP/tools/models/litmus/run"
fi
