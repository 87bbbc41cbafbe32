#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest, a User Mode Linux (clock.patch), where work is measured as CPU time of the
# host: carries out a plan of clock.py. All paths of it stay until the end, each with namespaces of
# its own, so that the runs can take turns.
# usage: clock-guest.sh PLAN
#
# WG_RESULTS gets for each run a line "begin NUMBER" and one "end NUMBER KEY=VALUE…": what was
# carried, and how long the kernel computed (cpu: nanoseconds). WG_SAMPLES/NUMBER gets lines "COUNT
# FUNCTION": where that time went.

. "$WG_TOP/selftests/lib.sh"
. "$WG_TOP/tools/bench/paths.sh"
. "$WG_TOP/tools/bench/traffic.sh"

# Nanoseconds of CPU time from one sample to the next; 0: no samples.
period=400000

# measured COMMAND…: its clock is in $work/clock.
measured() {
	local status=0
	echo "$period" >/proc/cpu_clock
	"$@" || status=$?
	cat /proc/cpu_clock >"$work/clock"
	# shellcheck disable=SC2034 # there is no such thing here
	idled=0
	return "$status"
}

# Without a tunnel: the floor.
vpn_none() {
	ip -n left addr add 192.168.7.1/24 dev veth
	ip -n right addr add 192.168.7.2/24 dev veth
}

# serve LEFT RIGHT WIRE FAMILY SHAPE RULES: makes the path, does on it what comes in, and answers to
# descriptor 3.
serve() {
	local number words
	path "$@"
	echo ready >&3
	while read -r number words; do
		# shellcheck disable=SC2086 # several words
		run_$words </dev/null >"$work/result"
		sed -n 's/^cpu /cpu=/p' "$work/clock" >>"$work/result"
		sed 1d "$work/clock" >"$WG_SAMPLES/$number"
		tr '\n' ' ' <"$work/result" >&3
		echo >&3
	done
}

if [[ $1 == --path ]]; then
	shift
	serve "$@" 3>&1 >&2
	exit
fi

# paths[LEFT RIGHT WIRE FAMILY SHAPE RULES]: the number of its process; asks[N] and answers[N] are
# descriptors.
declare -A paths=() asks=() replies=()

# begin_path LEFT RIGHT WIRE FAMILY SHAPE RULES: own mounts and /run, so that names of namespaces
# may be the same.
begin_path() {
	local number=${#paths[@]} answer fd
	paths["$*"]=$number
	mkfifo "$work/ask$number" "$work/reply$number"
	exec {fd}<>"$work/ask$number"
	asks[$number]=$fd
	exec {fd}<>"$work/reply$number"
	replies[$number]=$fd
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --pid --fork --kill-child --mount-proc \
		bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec bash "$@"' - "$0" --path "$@" \
		<&"${asks[$number]}" >&"${replies[$number]}" &
	read -rt 300 answer <&"${replies[$number]}" || fail "the path '$*' does not come up"
	[[ $answer == ready ]] || fail "the path '$*' says: $answer"
}

sysctl -qw net.core.rmem_max=8388608 net.core.wmem_max=8388608
mark_log bench
"$WG_TOP/tools/load.sh"
load_c_module
echo 'module wireguarc -p' >/proc/dynamic_debug/control
while read -r number left right wire family shape rules words; do
	echo "begin $number" >>"$WG_RESULTS"
	topology="$left $right $wire $family $shape $rules"
	# shellcheck disable=SC2086 # several words
	[[ ${paths[$topology]:-} ]] || begin_path $topology
	index=${paths[$topology]}
	echo "$number $words" >&"${asks[$index]}"
	read -rt 300 answer <&"${replies[$index]}" || fail "the run $number ($topology $words) has no result"
	echo "end $number $answer" >>"$WG_RESULTS"
done <"$1"
check_clean_log
