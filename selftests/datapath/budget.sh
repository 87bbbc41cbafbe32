#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# What waits for sessions with peers that do not answer takes no more memory than the interface's
# budget. When that is spent, the peers that have most of it lose their oldest packets, and those
# that have little lose nothing.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no budget"

# waiting: prints how many bytes wait on a's interface, and how many may.
waiting() {
	awk '{ print $1, $3 }' /sys/kernel/debug/wireguard/wg0/waiting
}

# waits NUMBER: whether that many do.
waits() {
	local now
	read -r now _ < <(waiting)
	((now == $1))
}

# ten ADDRESS: sends ten datagrams from a, for a port where no socket listens. They make a backlog
# that counts (16 kB), which is none of the largest, and need more room than one large datagram.
ten() {
	in_ns a bash -c "for _ in {1..10}; do dd if=/dev/zero bs=5000 count=1 status=none >/dev/udp/$1/9; done"
}

# arrived NS: whether the ten did.
arrived() {
	(($(snmp "$1" NoPorts) == 10))
}

load_module
joined a b
joined a c 1 inner
interface a 1
interface b 2
interface c 3
peer a b allowed-ips 192.168.7.2/32 endpoint 10.0.0.2:51822
peer a c allowed-ips 192.168.7.3/32 endpoint 10.1.0.2:51823
ip -n a link set wg0 mtu 65000 up
for ns in b c; do
	peer "$ns" a allowed-ips 192.168.7.1/32
	ip -n "$ns" link set wg0 up
	in_ns "$ns" iptables -I INPUT -p udp -j DROP
done
waits 0 || fail "something waits at the beginning: $(waiting)"

# Frames for 10.0.0.99 reach b's veth, but b is not that host and stays silent.
ip -n a neigh add 10.0.0.99 lladdr "$(in_ns b cat /sys/class/net/veth/address)" dev veth
ip -n a route add 192.168.8.0/24 dev wg0
silent=(1 2 3 4 5 6 7 8)
for n in "${silent[@]}"; do
	in_ns a wg set wg0 peer "$(wg genkey | wg pubkey)" endpoint 10.0.0.99:1000 \
		allowed-ips "192.168.8.$n/32"
done

ten 192.168.7.2
# 120 datagrams of 60 000 bytes each: for four of them there may be room.
for n in "${silent[@]}"; do
	in_ns a socat -u -b 60000 OPEN:/dev/zero,readbytes=7200000 "UDP-SENDTO:192.168.8.$n:9"
done
read -r now total < <(waiting)
echo "$now of $total bytes wait"
((total < 48 << 20)) || fail "$total bytes may wait, so these do not spend the budget"
((now <= total && now > total / 2)) || fail "$now bytes wait, of $total"
ten 192.168.7.3

# 10 + 8 * 120 + 10 datagrams came; what is there now was not dropped.
dropped=$(statistic a tx_dropped)
echo "$dropped dropped"
((dropped > 300 && dropped < 8 * 120)) || fail "$dropped packets were dropped"
for ns in b c; do
	in_ns "$ns" iptables -D INPUT 1
	eventually 12 arrived "$ns" || fail "$(snmp "$ns" NoPorts) of 10 datagrams reached $ns"
done

ip -n a link set wg0 down
eventually 3 waits 0 || fail "after down: $(waiting)"
