#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the guest, whose time is the number of instructions executed: carries out a plan of
# cases.py.
# usage: guest.sh PLAN
#
# WG_RESULTS gets for each run a line "begin NUMBER" and one "end NUMBER KEY=VALUE…": what was
# carried (bytes, packets), the guest time it took (seconds; as many billion instructions, where
# nothing is idle), and what the machine was idle while the programs started, ran and ended (idle;
# to 10 ms). A run that fails ends the script, and the next machine goes on after it.
# WG_MARK is a program to be run right before and after the traffic; WG_SYMBOLS.NUMBER gets the
# kernel's symbols then.

. "$WG_TOP/selftests/lib.sh"
. "$WG_TOP/tools/bench/paths.sh"
. "$WG_TOP/tools/bench/traffic.sh"

# idle: seconds since boot.
idle() {
	awk '/^cpu / { print $5 / 100 }' /proc/stat
}

# measured COMMAND…: runs it, without anything beside it, and sets $idled.
measured() {
	local before after status=0
	before=$(idle)
	${WG_MARK:-}
	idling "$@" || status=$?
	${WG_MARK:-}
	after=$(idle)
	idled=$(awk "BEGIN { print $after - $before }")
	return "$status"
}

# --- a run

load() {
	local word words=" $1 $2 "
	for word in ours c wireguarc; do
		[[ $words == *" $word "* ]] || continue
		case $word in
		ours) "$WG_TOP/tools/load.sh" ;;
		c) WG_MODULE=c "$WG_TOP/tools/load.sh" ;;
		wireguarc)
			load_c_module
			echo 'module wireguarc -p' >/proc/dynamic_debug/control
			;;
		esac
	done
}

# Namespaces die a little later than the last process in them.
clean() {
	local module
	if ((${#servers[@]})); then
		kill -KILL "${servers[@]}"
		wait "${servers[@]}" 2>/dev/null || true
	fi
	servers=()
	kind=()
	device=()
	ip -all netns delete
	for module in wireguard wireguarc; do
		[[ ! -d /sys/module/$module ]] || eventually 20 rmmod "$module" || fail "the module $module cannot be removed"
	done
	check_clean_log
}

sysctl -qw net.core.rmem_max=8388608 net.core.wmem_max=8388608
mark_log bench
built=
while read -r number left right wire family shape rules words; do
	echo "begin $number" >>"$WG_RESULTS"
	echo "$number: $left $right $wire $family $shape $rules $words" >&2
	wanted="$left $right $wire $family $shape $rules"
	if [[ $built != "$wanted" ]]; then
		clean
		load "$left" "$right"
		# shellcheck disable=SC2086 # several words
		path $wanted
		built=$wanted
	fi
	# shellcheck disable=SC2086 # several words
	run_$words >"$work/result"
	[[ ! ${WG_SYMBOLS:-} ]] || cat /proc/kallsyms >"$WG_SYMBOLS.$number"
	echo "end $number $(tr '\n' ' ' <"$work/result")" >>"$WG_RESULTS"
done <"$1"
clean
