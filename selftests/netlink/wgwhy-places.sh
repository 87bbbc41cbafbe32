#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy names addresses, networks and interfaces that are elsewhere than they should be, and answers
# that come too late.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

if row no-interface; then
	gone
	namespace a
	mkdir -p /etc/wireguard
	mount -t tmpfs tmpfs /etc/wireguard
	looked_at=
	notes a no-interface
	touch /etc/wireguard/office.conf
	tells a no-interface
	grep -q "wg-quick up office" "$work/text" || fault "it does not say what to do: $(cat "$work/text")"
	umount /etc/wireguard
	namespace c
	ip -n c link add wg7 type wireguard
	tells a no-interface
	grep -q "wg7 in c" "$work/text" || fault "it does not say where: $(cat "$work/text")"
	looked_at=wg0
fi

if row network-overlap; then
	used
	joined a c 60 veth2
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128,10.60.0.0/24
	# This host has the network's first address.
	tells a network-overlap
	ip -n a addr del 10.60.0.1/24 dev veth2
	ip -n a addr add 10.60.0.5/24 dev veth2
	tells a network-overlap
	grep -q "10.60.0.0/24 is also the network of veth2 here" "$work/text" || fault "it says: $(cat "$work/text")"
	# What it says helps.
	ip -n a route add 10.60.0.77 dev wg0
	repaired
fi

if row wrong-inner-address; then
	fresh
	ip -n b addr del 192.168.7.2/24 dev wg0
	ip -n b addr add 192.168.7.3/24 dev wg0
	keeps_trying a 192.168.7.2
	tells b forwarding
	grep -q "192.168.7.3" "$work/text" || fault "it does not say the address: $(cat "$work/text")"
	ip -n b addr add 192.168.7.2/24 dev wg0
	repaired
fi

if row endpoint-here; then
	fresh
	for place in 127.0.0.1:4000 10.0.0.1:51822; do
		peer a b endpoint $place
		tries a
		tells a endpoint-here
	done
	peer a b endpoint 10.0.0.2:51822
	repaired
fi

if row endpoint-broadcast; then
	fresh
	# To b's own port it would work.
	peer a b endpoint 10.0.0.255:9
	tries a
	tells a endpoint-broadcast
	peer a b endpoint 10.0.0.2:51822
	repaired
fi

if row late-answer; then
	fresh
	know_each_other
	in_ns b tc qdisc add dev veth root netem delay 6s
	tries a
	tells a late-answer
	in_ns b tc qdisc del dev veth root
	repaired
fi

if row own-key; then
	fresh
	in_ns a wg set wg0 peer "${public[b]}" remove peer "${public[a]}" allowed-ips 192.168.7.2/32
	tells a no-peers
	grep -qF "own key of wg0, ${public[a]}, is ignored" "$work/text" || fault "it does not say whose: $(cat "$work/text")"
fi
ended
