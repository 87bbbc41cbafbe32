#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy names causes that are rarer, and those that only the host knows: links, neighbours, tc,
# policies of the firewall, tables of routes. After the repair it says nothing.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

if row under-load; then
	fresh
	# The process itself is to be killed.
	ip netns exec b python3 -B -c '
import base64, os, socket, struct, sys, time
from wgtest.noise import add_macs
junk = add_macs(struct.pack("<II", 1, 7) + os.urandom(108), base64.b64decode(sys.argv[1]))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# More than an eighth of the queue at once, and no more of the log than it holds.
while True:
    for _ in range(1500):
        out.sendto(junk, ("10.0.0.1", 51821))
    time.sleep(0.5)' "${public[a]}" &
	flood=$!
	tells a under-load
	kill $flood
	wait $flood || true
	# It counts for some seconds.
	eventually 30 no_trouble a || true
	repaired
fi

if row inner-garbage; then
	fresh
	ip -n b link set wg0 down
	# In place of b's interface a program, whose packet has a length in its IPv4 header that it
	# does not have.
	ip netns exec b python3 -B -c '
import base64, signal, socket, struct, sys
from wgtest.noise import Handshake
secret, remote = map(base64.b64decode, sys.argv[1:])
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("10.0.0.2", 51822))
wire.connect(("10.0.0.1", 51821))
handshake = Handshake(secret, remote)
wire.send(handshake.initiation())
session = handshake.accept_response(wire.recv(2000))
wire.send(session.data(struct.pack(">BBH", 0x45, 0, 9000) + bytes(28)))
signal.pause()' "${private[b]}" "${public[a]}" &
	program=$!
	tells a inner-garbage
	kill $program
	wait $program || true
	ip -n b link set wg0 up
	ip -n b addr add fd77::2/64 dev wg0 nodad
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	ip -n a addr add fd77::1/64 dev wg0 nodad
	repaired
fi

if row conntrack-full; then
	fresh
	nft_in a output "ct state new counter"
	# shellcheck disable=SC2016 # the inner shell expands it
	in_ns a bash -c 'for port in {9001..9008}; do echo >/dev/udp/10.0.0.2/$port; done'
	most=$(sysctl -n net.netfilter.nf_conntrack_max)
	sysctl -qw net.netfilter.nf_conntrack_max=6
	tries a
	tells a conntrack-full
	sysctl -qw "net.netfilter.nf_conntrack_max=$most"
	repaired
fi

if row refused; then
	fresh
	# A point of low order.
	low=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
	in_ns a wg set wg0 peer $low allowed-ips 192.168.7.60/32 endpoint 10.0.0.2:9
	tries a 192.168.7.60
	tells a refused
	grep -qF $low "$work/text" || fault "it does not say which peer: $(cat "$work/text")"
	in_ns a wg set wg0 peer $low remove
	repaired
fi

if row silent; then
	used
	# Handshakes pass.
	nft_in b output "udp dport 51821 @th,64,8 0x04 drop"
	keeps_trying a 192.168.7.2
	tells a silent
	in_ns b nft delete table inet t
	repaired
fi

if row link-down; then
	fresh
	ip -n b link set veth down
	tries a
	tells a link-down
	ip -n b link set veth up
	repaired
fi

if row next-hop; then
	fresh
	peer a b endpoint 10.0.0.77:51822
	tries a
	tells a next-hop
	grep -q 10.0.0.77 "$work/text" || fault "it does not say which one: $(cat "$work/text")"
	peer a b endpoint 10.0.0.2:51822
	repaired

	also gateway
	# A peer with a session would call after 15 s, and move the endpoint back.
	fresh
	ip -n a route add 10.7.0.0/24 via 10.0.0.78
	peer a b endpoint 10.7.0.2:51822
	tries a
	tells a next-hop
	grep -q 10.0.0.78 "$work/text" || fault "it does not say which one: $(cat "$work/text")"
fi

if row reverse-path-outside; then
	fresh
	in_ns a sysctl -qw net.ipv4.conf.{all,veth}.rp_filter=1
	ip -n a addr del 10.0.0.1/24 dev veth
	ip -n a addr add 10.0.0.1/32 dev veth
	# As wg-quick does it, without its setting of marks.
	ip -n a route add default dev wg0
	ip -n a route add 10.0.0.0/24 dev veth src 10.0.0.1 table 77
	ip -n a rule add fwmark 77 lookup 77
	in_ns a wg set wg0 fwmark 77
	peer a b allowed-ips 0.0.0.0/0
	tries a
	tells a reverse-path-outside
	in_ns a sysctl -qw net.ipv4.conf.{all,veth}.rp_filter=2
	repaired
fi

if row tc-drops; then
	fresh
	in_ns a tc qdisc add dev veth clsact
	in_ns a tc filter add dev veth egress protocol ip u32 match ip protocol 17 0xff action drop
	tries a
	tells a tc-drops
	in_ns a tc qdisc del dev veth clsact
	repaired

	also netem
	fresh
	in_ns a tc qdisc add dev veth root netem loss 100%
	tries a
	# Its neighbour cannot be resolved either.
	ip -n a neigh replace 10.0.0.2 lladdr "$(in_ns b cat /sys/class/net/veth/address)" dev veth nud permanent
	tells a tc-drops
	in_ns a tc qdisc del dev veth root
	repaired
fi

if row ipv6-off; then
	used
	in_ns a sysctl -qw net.ipv6.conf.wg0.disable_ipv6=1
	tells a ipv6-off
	in_ns a sysctl -qw net.ipv6.conf.wg0.disable_ipv6=0
	ip -n a addr add fd77::1/64 dev wg0 nodad
	repaired
fi

if row forward-blocked; then
	fresh
	joined a c 2 veth2
	ip -n c route add default via 10.2.0.1
	ip -n b route add 10.2.0.0/24 dev wg0
	peer b a allowed-ips 192.168.7.1/32,fd77::1/128,10.2.0.0/24
	in_ns a sysctl -qw net.ipv4.ip_forward=1
	answers b 10.2.0.2 || fault "a does not forward"
	fine a
	nft_in a forward "policy drop; iifname docker0 accept;"
	keeps_trying b 10.2.0.2
	notes a forward-blocked
	in_ns a nft add rule inet t c iifname wg0 accept
	in_ns a nft add rule inet t c oifname wg0 accept
	eventually 5 answers b 10.2.0.2 || fault "a does not forward again"
	repaired
fi

if row firewall-without-counter; then
	fresh
	nft_in a output "udp dport 51822 drop"
	tries a
	tells a firewall
	in_ns a nft delete table inet t
	repaired
fi

if row firewall-policy; then
	fresh
	nft_in a input "policy drop; tcp dport 22 accept;"
	tries a
	tells a firewall
	in_ns a nft add rule inet t c ct state established accept
	repaired

	also firewall-policy-output
	fresh
	nft_in a output "policy drop; ct state established accept; oifname wg0 accept;"
	tries a
	tells a firewall
	in_ns a nft add rule inet t c udp dport 51822 accept
	repaired
fi

if row table-without-rule; then
	used
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128,192.168.50.0/24
	ip -n a route add 192.168.50.0/24 dev wg0 table 200
	tells a no-route-inside
	grep -q "that no rule leads to" "$work/text" || fault "it does not say why: $(cat "$work/text")"
	ip -n a rule add to 192.168.50.0/24 lookup 200
	repaired
fi

if row swapped-allowed-ips; then
	fresh
	joined a c 2 veth2
	interface c 3
	peer a b allowed-ips 192.168.7.3/32,fd77::3/128
	peer a c allowed-ips 192.168.7.2/32,fd77::2/128 endpoint 10.2.0.2:51823
	peer c a allowed-ips 192.168.7.1/32,fd77::1/128 endpoint 10.2.0.1:51821
	ip -n c link set wg0 up
	tries b 192.168.7.1
	tells a overlapping-allowed-ips
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128
	peer a c allowed-ips 192.168.7.3/32,fd77::3/128
	repaired
fi

if row two-interfaces-one-port; then
	fresh
	ip -n a link set wg0 down
	ip -n a link add wg1 type wireguard
	in_ns a wg set wg1 listen-port 51821
	ip -n a link set wg1 up
	tells a port-taken
	ip -n a link del wg1
	ip -n a link set wg0 up
	ip -n a addr add fd77::1/64 dev wg0 nodad
	repaired
fi

if row no-module; then
	gone
	eventually 10 unload_module || fault "the module stays"
	namespace a
	tells a no-module
	gone
	load_module
	fresh
	repaired
fi
ended
