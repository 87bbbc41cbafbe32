#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The kernel's own WireGuard selftest, netns.sh of its source, against our module; some minutes.
# usage: test-upstream.sh   (WG_MODULE=--stock runs it against the C module)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [[ ! ${WG_MODULE:-} ]]; then
	step "wireguard.ko" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
fi
script=$(kernel_folder)/tree/tools/testing/selftests/wireguard/netns.sh
job=$WG_OUT/vm/upstream

status=0
# shellcheck disable=SC2016 # the guest's shell expands it
step "netns.sh of the kernel source" "$WG_OUT/log/upstream.log" \
	"$WG_TOP/tools/vm/boot.sh" --job "$job" --limit 1800 -- \
	bash -c '. selftests/lib.sh; mark_log netns.sh; load_module; bash "$1"; unload_module; check_clean_log' - "$script" ||
	status=$?
echo "its last lines (all of them: $job/output.log):"
tail -n 5 "$job/output.log"
exit "$status"
