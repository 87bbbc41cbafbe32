#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: selftests one after the other, each shut off from the next.
# usage: tests.sh NAME…
#
# WG_RESULTS gets a line "begin NAME" and one "end NAME STATUS" per test: 0 passed, 4 skipped, else
# failed. Logs go beside it: NAME.log, a KTAP document with the test as its only item, and
# NAME.kernel.log. A test after which the module cannot be removed ends the run: the host boots
# again for the rest.

. "$WG_TOP/tools/lib.sh"
. "$WG_TOP/selftests/lib.sh"
trap - ERR
set +e

folder=$(dirname "$WG_RESULTS")

# What is looked at after a test is at no line of the test.
fail() {
	echo "FAIL: $*"
	exit 1
}

# Own processes, mounts and /run: whatever a test leaves behind goes with its namespaces.
run() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --pid --fork --kill-child --mount-proc \
		bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec bash "$1"' - "$(selftest_file "$1")"
}

# Namespaces die a little later than the last process in them.
unload() {
	local module
	for module in wireguard wireguarc; do
		[[ ! -d /sys/module/$module ]] || eventually 10 rmmod "$module" || fail "the module $module cannot be removed"
	done
}

# reason LOG: why the test was skipped: "skip" prints it last. Empty if it was not.
reason() {
	tail -n 1 "$1" | sed -n 's/^SKIP: //p'
}

# ended LOG STATUS: says so where nothing in the log does; fails unless the test passed.
ended() {
	(($2 != 0)) || return 0
	grep -q '^FAIL' "$1" || echo "FAIL: the test ended with status $2"
	return 1
}

# item WORDS…: runs them as a subtest of that name.
item() {
	local status=0
	("${@:2}") || status=$?
	if ((status)); then
		judged=1
		echo "    not ok $((++number)) $1"
	else
		echo "    ok $((++number)) $1"
	fi
}

# judge NAME: runs the test and looks at what it leaves; the status is that of "end NAME STATUS".
# The output goes to a file, which is read as well.
judge() {
	local name=$1 judged=0 log status number skipped
	log=$(readlink "/proc/$$/fd/1")
	printf 'KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: %s\n' "$name"
	run "$name"
	status=$?
	skipped=
	((status != 4)) || skipped=$(reason "$log")
	number=$(grep -cE '^    (not )?ok ' "$log")
	if [[ $skipped ]]; then
		echo "    ok $((++number)) script # SKIP $skipped"
	else
		item script ended "$log" "$status"
	fi
	item unload unload
	export WG_LOG_EXPECTED
	WG_LOG_EXPECTED=$(selftest_says "$name" log)
	item kernel-log check_clean_log
	item objects check_balance none
	[[ ! -e /sys/kernel/debug/kmemleak && ! -e /proc/lockdep_stats ]] || item debug-kernel check_debug_kernel
	if ((judged)); then
		echo "not ok 1 $name"
	else
		echo "ok 1 $name${skipped:+ # SKIP $skipped}"
		[[ ! $skipped ]] || return 4
	fi
	return "$judged"
}

# What kmemleak took for lost while the kernel booted is no test's; it does not tell of that again.
(check_debug_kernel) >/dev/null 2>&1 || true

for name; do
	echo "begin $name" >>"$WG_RESULTS"
	mark_log "$name"
	# shellcheck disable=SC2094 # it goes on after what it reads
	judge "$name" >"$folder/$name.log" 2>&1
	status=$?
	kernel_log >"$folder/$name.kernel.log"
	echo "end $name $status" >>"$WG_RESULTS"
	[[ ! -d /sys/module/wireguard && ! -d /sys/module/wireguarc ]] || exit 0
done
