#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 180
# The module goes within seconds, whatever its interfaces are doing, and leaves nothing behind.

. "$(dirname "$0")/../lib.sh"

# unloaded TEXT: rmmod, timed, and a look around.
unloaded() {
	local begin=${EPOCHREALTIME/./} took left
	rmmod wireguard || fail "$1: rmmod"
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	echo "$1: rmmod took $took ms"
	# Less than a second on a machine that does nothing else.
	# row X8
	((took < 20000)) || fail "$1: rmmod took $took ms"
	# row M6
	left=$(ip -n a -o link show type wireguard; ip -n b -o link show type wireguard)
	[[ ! $left ]] || fail "$1: interfaces stay: $left"
	left=$(in_ns a ss -Hlun 'sport >= :51820 and sport <= :51829')
	[[ ! $left ]] || fail "$1: sockets stay: $left"
	# row M8
	left=$(awk '/^(wireguard_|wg_|peer_cache|allowedips)/ { print $1 }' /proc/slabinfo)
	[[ ! $left ]] || fail "$1: caches stay: $left"
	[[ ! -e /sys/kernel/debug/wireguard ]] || fail "$1: its folder in debugfs stays"
	check_balance none
}

joined a b

# Nothing, down, up without a peer, up with a session.
load_module
unloaded "no interface"
load_module
ip -n a link add wg0 type wireguard
ip -n b link add wg0 type wireguard
ip -n b link set wg0 up
unloaded "two interfaces without peers"
load_module
tunnel a b
answers a 192.168.7.2 || fail "a ping"
unloaded "a session"
load_module
tunnel a b
datagram a 192.168.7.2
unloaded "a handshake under way"

# A process holds a file of debugfs open, which must neither keep the module nor harm the process
# that closes it later.
if ! on_c; then
	load_module
	ip -n a link add wg0 type wireguard
	exec {held}</sys/kernel/debug/wireguard/wg0/drops
	read -r line <&"$held" || fail "the file of debugfs cannot be read"
	[[ $line == *' 0' ]] || fail "the file of debugfs begins with '$line'"
	unloaded "a file of debugfs is open"
	refuses cat <&"$held"
	exec {held}<&-
fi

# A handshake that no host answers, with packets that wait and a timer that runs.
load_module
interface a 1
public[b]=$(wg genkey | wg pubkey)
peer a b endpoint 10.0.0.2:7 allowed-ips 192.168.7.2/32 persistent-keepalive 1
ip -n a link set wg0 up
datagram a 192.168.7.2
unloaded "a handshake without an answer"

# Under traffic in both directions, of two streams and a flood of large and small packets.
iperf3_server b
for round in 1 2 3; do
	load_module
	tunnel a b
	# What is left of the round before may have both send their initiation at once, and then
	# each takes the other's instead of waiting for the answer to its own: the next try is 5 s
	# later.
	answers a 192.168.7.2 -w 20 || fail "a ping"
	answers a fd77::2 -w 5 || fail "a ping over IPv6"
	ip netns exec a iperf3 --client 192.168.7.2 --time 30 --bidir >"$work/iperf3.log" 2>&1 &
	jobs=($!)
	ip netns exec b ping -q -f -s 3000 192.168.7.1 >/dev/null 2>&1 &
	jobs+=($!)
	ip netns exec a ping -q -f fd77::2 >/dev/null 2>&1 &
	jobs+=($!)
	busy() { (($(statistic a rx_bytes) > 500000 && $(statistic a tx_bytes) > 500000)); }
	eventually 20 busy || fail "no traffic: $(cat "$work/iperf3.log")"
	unloaded "under traffic ($round)"
	# At a gentler signal iperf3 still talks to the other side, and waits for its threads, one
	# of which may write to a socket whose way is gone.
	kill -KILL "${jobs[@]}" 2>/dev/null || true
	wait "${jobs[@]}" 2>/dev/null || true
	echo "the traffic ($round) has ended"
done

# Interfaces that come and go while the module does. (The kernel must not load its own in the place
# of ours.)
modprobe=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$modprobe" >/proc/sys/kernel/modprobe' EXIT
for round in 1 2 3; do
	load_module
	echo /bin/false >/proc/sys/kernel/modprobe
	(while ip -n a link add wg0 type wireguard && ip -n a link set wg0 up && ip -n a link del wg0; do :; done) 2>/dev/null &
	pass 0.$((round * 2))
	rmmod wireguard || fail "while interfaces come and go: rmmod"
	wait $! || true
	[[ ! -d /sys/module/wireguard ]] || fail "while interfaces come and go: the module is back"
	echo "$modprobe" >/proc/sys/kernel/modprobe
	check_balance none
done
