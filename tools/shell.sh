#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A shell in a virtual machine with the module loaded. Leave with "exit", or end the machine with
# Ctrl-A X.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

[[ -t 0 && -t 1 ]] || die "this needs a terminal"
step "wireguard.ko" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
echo "booting; leave with 'exit', or end the machine with Ctrl-A X"
# shellcheck disable=SC2016 # the guest's shell expands it
exec "$WG_TOP/tools/vm/boot.sh" --interactive --job "$WG_OUT/vm/shell" -- bash -c '
	tools/load.sh && echo "loaded: $(tools/which.sh --loaded)"
	exec bash --rcfile tools/vm/shellrc -i'
