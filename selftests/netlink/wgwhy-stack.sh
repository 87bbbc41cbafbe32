#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy names what only the counters of this host's stack show: reverse paths, missing routes,
# checksums, connections that stand still.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

if row reverse-path-two-links; then
	fresh
	ip link add veth2 netns a type veth peer name veth2 netns b
	ip -n a addr add 10.2.0.1/24 dev veth2
	ip -n b addr add 10.2.0.2/24 dev veth2
	ip -n a link set veth2 up
	ip -n b link set veth2 up
	# There by one link, back by the other.
	ip -n a route add 10.0.0.2/32 via 10.2.0.2 dev veth2
	ip -n b route add 10.2.0.1/32 via 10.0.0.1 dev veth
	in_ns a sysctl -qw net.ipv4.conf.veth.rp_filter=1
	tries a
	tells a reverse-path-outside
	in_ns a sysctl -qw net.ipv4.conf.veth.rp_filter=2
	repaired
fi

if row reverse-path-default; then
	used
	peer a b allowed-ips 0.0.0.0/0,fd77::2/128
	ip -n b addr add 10.55.0.1/32 dev wg0
	in_ns a sysctl -qw net.ipv4.conf.wg0.rp_filter=1
	fine a
	keeps_trying b -I 10.55.0.1 192.168.7.1
	tells a reverse-path
	in_ns a sysctl -qw net.ipv4.conf.wg0.rp_filter=2
	repaired
fi

if row no-route-beyond; then
	used
	in_ns a sysctl -qw net.ipv4.ip_forward=1
	peer b a allowed-ips 192.168.7.1/32,fd77::1/128,10.66.0.0/16
	ip -n b route add 10.66.0.0/16 dev wg0
	keeps_trying b 10.66.0.1
	tells a no-route-beyond
fi

if row untranslated; then
	used
	joined a c 2 veth2
	in_ns a sysctl -qw net.ipv4.ip_forward=1
	peer b a allowed-ips 192.168.7.1/32,fd77::1/128,10.2.0.0/24
	ip -n b route add 10.2.0.0/24 dev wg0
	keeps_trying b 10.2.0.2
	notes a untranslated
	in_ns a nft -f - <<<'table ip nat { chain c { type nat hook postrouting priority srcnat; oifname "veth2" masquerade; }; }'
	# A connection keeps what it was given.
	ip netns pids b | xargs -r kill
	eventually 5 answers b 10.2.0.2 || fault "no answer after the repair"
	fine a
fi

if row not-forwarded; then
	used
	joined a c 2 veth2
	ip -n c route add default via 10.2.0.1
	keeps_trying c 192.168.7.2
	notes a not-forwarded
fi

if row bad-checksums; then
	fresh
	know_each_other
	in_ns b tc qdisc add dev veth root netem corrupt 100%
	tries a
	tells a bad-checksums
	in_ns b tc qdisc del dev veth root
	repaired
fi

if row black-hole; then
	used
	nft_in b input "udp dport 51822 meta length > 1000 drop"
	in_ns b socat -u TCP-LISTEN:7000 /dev/null &
	eventually 5 listens b 7000 || fault "socat does not listen"
	in_ns a socat -u /dev/zero TCP:192.168.7.2:7000 &
	keeps_trying a 192.168.7.2
	notes a mtu
fi
ended
