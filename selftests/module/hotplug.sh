#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp4
# when: all
# limit: 300
# CPUs go and come back under traffic, with new handshakes meanwhile; every peer's packets go on,
# and none stands still.

. "$(dirname "$0")/../lib.sh"

cpu=/sys/devices/system/cpu/cpu1/online
others=$(($(nproc --all) - 1))
trap 'echo 1 | tee /sys/devices/system/cpu/cpu[1-9]/online >/dev/null' EXIT

# moves TEXT: both streams are alive: bytes arrive at b, and each second a datagram of the other
# peer's at c.
moves() {
	local before other
	before=$(received b a)
	other=$(received c a)
	more() { (($(received b a) > before + 100000 && $(received c a) > other)); }
	eventually 10 more || fail "$1: something stands still: $(shown b transfer a), $(shown c transfer a)"
}

load_module
joined a b
tunnel a b
joined a c 1 veth1
interface c 3
peer c a allowed-ips 192.168.7.1/32
peer a c allowed-ips 192.168.7.3/32 endpoint 10.1.0.2:51823
ip -n c link set wg0 up
answers a 192.168.7.2 -w 5 || fail "a ping"
answers a 192.168.7.3 -w 5 || fail "a ping to the other peer"

iperf3_server b
ip netns exec a iperf3 --client 192.168.7.2 --time 3600 --bidir --parallel 2 >"$work/iperf3.log" 2>&1 &
ip netns exec a ping -q -i 0.05 192.168.7.3 >/dev/null &
moves "with all CPUs"

# rows X9 X10
for round in 1 2; do
	echo 0 >$cpu
	[[ $(cat $cpu) == 0 ]] || fail "the CPU stays"
	moves "round $round, without the CPU"
	# A handshake with one CPU less: its workers are gone.
	sessions=$(created Keypair)
	ip -n c link set wg0 down
	ip -n c link set wg0 up
	answers c 192.168.7.1 -w 5 || fail "round $round: no new session without the CPU"
	(($(created Keypair) > sessions)) || fail "round $round: no new session"
	echo 1 >$cpu
	moves "round $round, with the CPU again"
done
# An interface made while a CPU is away works when it is back.
echo 0 >$cpu
ip -n a link add wg1 type wireguard
ip -n a link set wg1 up
echo 1 >$cpu
ip -n a link del wg1
moves "in the end"

# longest FILE: the longest time between two answers in the output of "ping -D".
longest() {
	awk -F '[][]' '/bytes from/ { if (last && $2 - last > longest) longest = $2 - last; last = $2 } END { print longest + 0 }' "$1"
}

# A hundred times, while two look at the clock. A busy machine makes pauses of its own, which both
# see.
ip netns exec a ping -n -D -i 0.02 192.168.7.3 >"$work/inside" &
pings=($!)
ip netns exec a ping -n -D -i 0.02 10.1.0.2 >"$work/outside" &
pings+=($!)
for ((round = 0; round < 100; round++)); do
	cpu=/sys/devices/system/cpu/cpu$((1 + round % others))/online
	echo 0 >"$cpu"
	echo 1 >"$cpu"
done
moves "after a hundred rounds"
kill "${pings[@]}"
wait "${pings[@]}" || true
through=$(longest "$work/inside")
beside=$(longest "$work/outside")
answered=$(grep -c 'bytes from' "$work/inside")
echo "$answered answers, at most $through s apart; outside of the tunnel $beside s"
awk -v n="$answered" -v inside="$through" -v outside="$beside" 'BEGIN { exit !(n > 100 && inside < 1 + outside) }' ||
	fail "traffic stands still while CPUs come and go"
