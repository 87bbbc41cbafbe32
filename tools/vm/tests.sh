#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: selftests one after the other, each shut off from the next.
# usage: tests.sh NAME…
#
# WG_RESULTS gets a line "begin NAME" and one "end NAME STATUS" per test; logs go beside it as NAME.log and
# NAME.kernel.log. A test after which the module cannot be removed ends the run: the host boots again for the rest.

. "$WG_TOP/tools/lib.sh"
. "$WG_TOP/selftests/lib.sh"
set +e

folder=$(dirname "$WG_RESULTS")

# Own processes, mounts and /run: whatever a test leaves behind goes with its namespaces.
run() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --pid --fork --kill-child --mount-proc \
		bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec bash "$1"' - "$WG_TOP/selftests/$1.sh"
}

# Namespaces die a little later than the last process in them.
unload() {
	local module
	for module in wireguard wireguarc; do
		[[ ! -d /sys/module/$module ]] || eventually 10 rmmod "$module" || return 1
	done
}

judge() {
	local status
	run "$1"
	status=$?
	((status == 0)) || echo "the test ended with status $status"
	unload || echo "the module cannot be removed"
	export WG_LOG_EXPECTED
	WG_LOG_EXPECTED=$(selftest_says "$1" log)
	(check_clean_log) || status=1
	(check_balance none) || status=1
	(check_debug_kernel) || status=1
	return "$status"
}

# What kmemleak took for lost while the kernel booted is no test's; it does not tell of that again.
(check_debug_kernel) >/dev/null 2>&1 || true

for name; do
	echo "begin $name" >>"$WG_RESULTS"
	mark_log "$name"
	judge "$name" >"$folder/$name.log" 2>&1
	status=$?
	kernel_log >"$folder/$name.kernel.log"
	[[ -d /sys/module/wireguard || -d /sys/module/wireguarc ]] && ((status == 0)) && status=1
	echo "end $name $status" >>"$WG_RESULTS"
	[[ ! -d /sys/module/wireguard && ! -d /sys/module/wireguarc ]] || exit 0
done
