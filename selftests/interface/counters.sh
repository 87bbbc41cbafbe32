#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# Eight streams in each direction at once (fewer on a debug kernel): the bytes that a peer is said
# to have been sent are those that left the host, to the last one, and those it is said to have sent
# are those that its interface received.

. "$(dirname "$0")/../lib.sh"

# left NS: bytes of UDP payload that left from WireGuard's port.
left() {
	in_ns "$1" nft -j list counter inet count sent | python3 -c '
import json, sys
counter, = (entry["counter"] for entry in json.load(sys.stdin)["nftables"] if "counter" in entry)
print(counter["bytes"] - 28 * counter["packets"])'
}

load_module
joined a b
tunnel a b
for ns in a b; do
	in_ns "$ns" nft -f - <<-'RULES'
		table inet count {
			counter sent { }
			chain output {
				type filter hook output priority 0;
				udp sport 51821-51822 udp dport 51821-51822 counter name sent
			}
		}
	RULES
done
iperf3_server b
streams=8
! debug_kernel || streams=2
in_ns a iperf3 --client 192.168.7.2 --parallel "$streams" --bidir --time 5 >"$work/iperf3.log" || fail "$(cat "$work/iperf3.log")"

still() {
	local before
	before="$(shown a transfer b) $(shown b transfer a)"
	pass 1
	[[ $before == "$(shown a transfer b) $(shown b transfer a)" ]]
}
eventually 20 still || fail "the traffic does not end"

# agree NS FAR: whether the numbers of one side do. A keepalive may leave while they are read, but
# what was not counted stays missing.
agree() {
	read -r rx tx < <(shown "$1" transfer "$2")
	sent=$(left "$1")
	got=$(statistic "$1" rx_bytes)
	[[ "$tx $rx" == "$sent $got" ]]
}
for ends in "a b" "b a"; do
	read -r ns far <<<"$ends"
	eventually 20 agree "$ns" "$far" ||
		fail "$ns counts $tx bytes sent, but $sent have left; $rx bytes of its peer, and $got in all"
	((tx > 1000000)) || fail "$ns sent merely $tx bytes"
done
