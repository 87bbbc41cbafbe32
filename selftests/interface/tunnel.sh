#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 120
# IPv4 and IPv6 go through a tunnel over IPv4 and IPv6, small and large, both ways, and every byte
# is counted.

. "$(dirname "$0")/../lib.sh"

# agree RX TX: whether all numbers say that a received RX bytes and sent TX in 11 messages, and b
# the other way round. A keepalive (32) more is fine: it confirms the session where the ping came
# later than the response. Two more leave, ten seconds apart, while a slow machine reads the
# numbers.
# rows E6 E7 E9 L16
agree() {
	local more tx
	seen="a $(shown a transfer b) b $(shown b transfer a)"
	seen+=" interfaces a $(statistic a rx_bytes) $(statistic a tx_bytes) b $(statistic b rx_bytes) $(statistic b tx_bytes)"
	seen+=" packets of a $(statistic a rx_packets) $(statistic a tx_packets)"
	for more in 0 1 2 3; do
		tx=$(($2 + 32 * more))
		# One packet for each message.
		if [[ ${seen//$'\t'/ } == "a $1 $tx b $tx $1 interfaces a $1 $tx b $tx $1 packets of a 11 $((11 + more))" ]]; then
			return 0
		fi
	done
	return 1
}

# cold ADDRESS MESSAGE: ten pings from cold, each in a message of MESSAGE bytes, after one handshake
# (148 and 92 bytes).
cold() {
	local rx=$((92 + 10 * $2)) tx=$((148 + 10 * $2)) seen
	in_ns a ping -q -c 10 -i 0.05 -W 5 "$1" >/dev/null || fail "ping $1 inside"
	eventually 2 agree $rx $tx || fail "ping $1: $rx bytes should be received, $tx be sent, but $seen"
}

# stream ADDRESS OPTIONS…: iperf3 from a to b.
stream() {
	local address=$1
	shift
	iperf3_server b --one-off
	in_ns a iperf3 --client "$address" --time 1 "$@" >"$work/iperf3.log" || fail "iperf3 $*: $(cat "$work/iperf3.log")"
	echo "$address $*:"
	grep -E 'sender|receiver' "$work/iperf3.log"
}

recent() {
	local at
	at=$(shown "$1" latest-handshakes "$2")
	((at > 0 && EPOCHSECONDS - at < 60)) || fail "$1 had its last handshake at '$at', it is $EPOCHSECONDS"
}

# host NUMBER FAMILY: the address inside.
host() {
	case $2 in
	4) echo "192.168.7.$1" ;;
	6) echo "fd77::$1" ;;
	esac
}

load_module
joined a b

families=(4)
if has_ipv6; then
	families+=(6)
else
	echo "this kernel has no IPv6: all of this is IPv4"
fi
# In a message: 84 and 104 bytes of a ping, padded to 16, and 32 of the message.
declare -A message=([4]=128 [6]=144)

for outer in "${families[@]}"; do
	for inner in "${families[@]}"; do
		tunnel a b "$outer"
		[[ $(shown a latest-handshakes b) == 0 ]] || fail "a handshake before anything was sent"
		cold "$(host 2 "$inner")" "${message[$inner]}"
		recent a b
		recent b a
		# Larger than the MTU, so fragments inside; and from the other side.
		answers a "$(host 2 "$inner")" -s 5000
		answers b "$(host 1 "$inner")" -s 5000

		stream "$(host 2 "$inner")" --bidir
		stream "$(host 2 "$inner")" --udp --bitrate 20M --length 1300 --bidir
		stream "$(host 2 "$inner")" --udp --bitrate 20M --length 4000 --reverse
		for ns in a b; do
			for what in rx_errors tx_errors; do
				[[ $(statistic $ns $what) == 0 ]] || fail "$ns has $what: $(statistic $ns $what)"
			done
		done
		ip -n a link del wg0
		ip -n b link del wg0
	done
done
