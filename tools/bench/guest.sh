#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the guest, whose time is the number of instructions executed: carries out a plan of cases.py.
# usage: guest.sh PLAN
#
# WG_RESULTS gets for each run a line "begin NUMBER" and one "end NUMBER KEY=VALUE…": what was carried (bytes, packets),
# the guest time it took (seconds; as many billion instructions, where nothing is idle), and what the machine was idle
# while the programs started, ran and ended (idle; to 10 ms). A run that fails ends the script, and the next machine
# goes on after it.
# WG_MARK is a program to be run right before and after the traffic; WG_SYMBOLS.NUMBER gets the kernel's symbols then.

. "$WG_TOP/selftests/lib.sh"
. "$WG_TOP/tools/bench/vpns.sh"

# Buffers in which a burst fits, so that all that is sent arrives: the work is to be the same in every run.
buffer=4M

# idle: seconds since boot.
idle() {
	awk '/^cpu / { print $5 / 100 }' /proc/stat
}

# measured COMMAND…: runs it, without anything beside it, and sets $idled.
measured() {
	local before after
	before=$(idle)
	${WG_MARK:-}
	idling "$@"
	${WG_MARK:-}
	after=$(idle)
	idled=$(awk "BEGIN { print $after - $before }")
}

# --- what lies between the ends: left, where the traffic starts, and right

# veths NS: the names of its ends of veth pairs.
veths() {
	ip -n "$1" -o link show type veth | sed 's/^[0-9]*: \([^@]*\)@.*/\1/'
}

wire() {
	local ns link
	[[ $1 != veth ]] || return 0
	for ns in $(ip netns list | cut -d ' ' -f 1); do
		for link in $(veths "$ns"); do
			in_ns "$ns" ethtool -K "$link" tso off gso off tx-udp-segmentation off
			if [[ $1 == gro ]]; then
				in_ns "$ns" ethtool -K "$link" gro on
			fi
		done
	done
}

# implementation WORD NS: what the namespace's interface is made by.
implementation() {
	case $1 in
	wireguarc) kind[$2]=wireguarc ;;
	go)
		kind[$2]=wireguard_go
		device[$2]=go-$2
		;;
	esac
}

shape_direct() {
	implementation "$1" left
	implementation "$2" right
	joined left right
	if [[ $(type -t "vpn_$1") ]]; then
		"vpn_$1"
	else
		tunnel left right "$3"
	fi
}

# Plain from left to gate, then through the tunnel to right.
shape_gateway() {
	implementation "$1" gate
	implementation "$2" right
	joined gate right
	joined gate left 1 lan
	tunnel gate right "$3"
	peer right gate allowed-ips 192.168.7.1/32,fd77::1/128,10.1.0.0/24
	ip -n right route add 10.1.0.0/24 dev wg0
	ip -n left route add 192.168.7.0/24 via 10.1.0.1
	in_ns gate sysctl -qw net.ipv4.ip_forward=1
}

# A router between the ends, where packets wait 10 ms in each direction, and some are lost: the same ones in each run.
shape_netem() {
	local link loss seed
	IFS=: read -r loss seed <<<"$4"
	implementation "$1" left
	implementation "$2" right
	joined left router
	joined router right 1 far
	tunnel left right 4
	peer left right endpoint 10.1.0.2:51822
	peer right left endpoint 10.0.0.1:51821
	ip -n left route add 10.1.0.0/24 via 10.0.0.2
	ip -n right route add 10.0.0.0/24 via 10.1.0.1
	in_ns router sysctl -qw net.ipv4.ip_forward=1
	for link in veth far; do
		tc -n router qdisc add dev $link root netem limit 10000 delay 10ms loss "$loss%" seed $((seed++))
	done
}

# rules COUNT: in each namespace, for what comes in, goes out and passes, so many that do not match, and conntrack.
rules() {
	local ns hook n
	(($1)) || return 0
	{
		echo "table inet bench {"
		for hook in input output forward; do
			echo "chain $hook { type filter hook $hook priority 0; ct state invalid drop;"
			for ((n = 0; n < $1; n++)); do echo "ip saddr 203.0.113.$n udp dport $((2000 + n)) drop;"; done
			echo "}"
		done
		echo "}"
	} >"$work/rules"
	for ns in $(ip netns list | cut -d ' ' -f 1); do in_ns "$ns" nft -f "$work/rules"; done
}

# --- traffic from left to 192.168.7.2; each function puts out its part of the result

# iperf_server t|u: TCP or UDP; runs until the topology goes.
iperf_server() {
	local options=() file=$work/server-$1
	if [[ ! ${servers[$1]:-} ]]; then
		[[ $1 == t ]] || options=(--udp)
		: >"$file"
		in_ns right iperf --server --reportstyle C -w $buffer "${options[@]}" >>"$file" &
		servers[$1]=$!
		eventually 5 listens right 5001 "-$1" || fail "the iperf server does not start"
		# Through a gateway, datagrams of iperf's own size do not fit.
		in_ns left iperf --client 192.168.7.2 "${options[@]}" -l 1000 --reportstyle C -n 64K >"$work/client"
		eventually 5 has_reports "$file" 1 || fail "iperf says: $(cat "$work/client")"
	fi
	: >"$file"
}

# reports FILE: the lines of single streams.
reports() {
	awk -F, '/^[0-9]/ && $6 >= 0' "$1"
}

has_reports() {
	(($(reports "$1" | wc -l) >= $2))
}

# result FILE COUNT: "bytes=… seconds=…" (and packets, lost) from so many reports of iperf: all bytes, and the longest
# time.
result() {
	eventually 5 has_reports "$1" "$2" || fail "iperf says: $(cat "$work/client" "$1")"
	reports "$1" | awk -F, '
		{ bytes += $8; lost += $11; all += $12; time = $8 * 8 / $9; if (time > seconds) seconds = time }
		END {
			printf "bytes=%d seconds=%.6f", bytes, seconds
			if (all) printf " packets=%d lost=%d", all - lost, lost
			print ""
		}'
}

# retransmits: by both ends so far.
retransmits() {
	local ns
	for ns in left right; do in_ns "$ns" nstat -asz TcpRetransSegs; done |
		awk '$1 == "TcpRetransSegs" { all += $2 } END { print all }'
}

# run_tcp AMOUNT OPTIONS-OF-IPERF…
run_tcp() {
	local file=$work/server-t count=1 before after
	case "${*:2}" in
	-R) file=$work/client ;;
	--full-duplex) file=$work/client count=2 ;;
	"-P "*) count=$3 ;;
	esac
	iperf_server t
	before=$(retransmits)
	measured in_ns left iperf --client 192.168.7.2 --reportstyle C -n "$@" >"$work/client"
	after=$(retransmits)
	result "$file" "$count"
	echo "retransmits=$((after - before)) idle=$idled"
}

# run_udp SIZE COUNT: as fast as the sender can.
run_udp() {
	iperf_server u
	measured in_ns left iperf --client 192.168.7.2 --reportstyle C --udp -b 100g -l "$1" -n $(($2 * $1)) >"$work/client"
	result "$work/server-u" 1
	echo "idle=$idled"
}

# run_ping COUNT: the next request goes out when the last one is answered.
run_ping() {
	measured in_ns left ping -q -f -c "$1" 192.168.7.2 >"$work/client"
	sed -n 's/^\([0-9]*\) packets transmitted, \1 received, .* time \([0-9]*\)ms$/packets=\1 seconds=\2e-3/p' "$work/client" |
		grep . || fail "ping says: $(cat "$work/client")"
	echo "idle=$idled"
}

# run_peers COUNT: no traffic, but what peers cost.
run_peers() {
	in_ns left python3 "$WG_TOP/tools/bench/peers.py" "$1" "$never_idle"
}

# --- a run

load() {
	local word words=" $1 $2 "
	for word in ours c wireguarc; do
		[[ $words == *" $word "* ]] || continue
		case $word in
		ours) "$WG_TOP/tools/load.sh" ;;
		c) "$WG_TOP/tools/load.sh" --stock ;;
		wireguarc)
			load_c_module
			echo 'module wireguarc -p' >/proc/dynamic_debug/control
			;;
		esac
	done
}

# build LEFT RIGHT WIRE FAMILY SHAPE RULES
build() {
	load "$1" "$2"
	if [[ $5 == none ]]; then
		namespace left
		return
	fi
	"shape_${5%%:*}" "$1" "$2" "$4" "${5#*:}"
	wire "$3"
	rules "$6"
	# In user space a handshake may come a little later.
	eventually 20 answers left 192.168.7.2 || fail "no answer through the tunnel"
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
		# shellcheck disable=SC2086 # several words
		build $wanted
		built=$wanted
	fi
	# shellcheck disable=SC2086 # several words
	run_$words >"$work/result"
	[[ ! ${WG_SYMBOLS:-} ]] || cat /proc/kallsyms >"$WG_SYMBOLS.$number"
	echo "end $number $(tr '\n' ' ' <"$work/result")" >>"$WG_RESULTS"
done <"$1"
clean
