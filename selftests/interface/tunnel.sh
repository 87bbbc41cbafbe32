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

load_module
joined a b
for family in 4 6; do
	tunnel a b $family
	[[ $(shown a latest-handshakes b) == 0 ]] || fail "a handshake before anything was sent"
	cold 192.168.7.2 128
	recent a b
	recent b a
	ip -n a link del wg0
	ip -n b link del wg0

	tunnel a b $family
	cold fd77::2 144
	# Larger than the MTU, so fragments inside; and from the other side.
	answers a 192.168.7.2 -s 5000
	answers b 192.168.7.1 -s 5000
	answers b fd77::1 -s 5000

	stream 192.168.7.2 --bidir
	stream fd77::2 --bidir
	stream 192.168.7.2 --udp --bitrate 20M --length 1300 --bidir
	stream fd77::2 --udp --bitrate 20M --length 4000 --reverse
	for ns in a b; do
		for what in rx_errors tx_errors; do
			[[ $(statistic $ns $what) == 0 ]] || fail "$ns has $what: $(statistic $ns $what)"
		done
	done
	ip -n a link del wg0
	ip -n b link del wg0
done
