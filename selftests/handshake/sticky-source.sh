#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# An answer leaves from the address that the question came to, until that address or the route over
# that interface goes.

. "$(dirname "$0")/../lib.sh"

# sees ADDRESS:PORT TEXT: where b thinks that a is: the source of a's last packet.
sees() {
	located b a "$1" "$2"
}

load_module
joined a b
ip -n a addr add 10.0.0.11/24 dev veth
ip -n a addr add fd00::11/64 dev veth nodad preferred_lft 0
tunnel a b

# Handshake and data: all of it to and from the second address, which no route prefers.
capture b veth "$work/sent" udp and src port 51821
peer b a endpoint 10.0.0.11:51821
answers b 192.168.7.1 || fail "the first ping"
answers a 192.168.7.2 || fail "a ping by the other side"
# row D12
sees 10.0.0.11:51821 "a reply came from another address"
captured "$work/sent"
[[ $(lines "$work/sent") -ge 3 && $(grep -c ' 10.0.0.11.51821 >' "$work/sent") == "$(lines "$work/sent")" ]] ||
	fail "not all from 10.0.0.11: $(cat "$work/sent")"

# The address goes: the next packet takes the one that the route prefers.
ip -n a addr del 10.0.0.11/24 dev veth
answers a 192.168.7.2 || fail "after the address went"
# row D12
sees 10.0.0.1:51821 "the address went"
ip -n a addr add 10.0.0.11/24 dev veth
answers a 192.168.7.2 || fail "after the address came back"
sees 10.0.0.1:51821 "the address came back"

# IPv6.
capture b veth "$work/sent6" ip6 and udp and src port 51821
peer b a endpoint '[fd00::11]:51821'
answers b 192.168.7.1 || fail "over IPv6"
answers a 192.168.7.2 || fail "a ping by the other side over IPv6"
sees '[fd00::11]:51821' "a reply came from another IPv6 address"
captured "$work/sent6"
[[ $(lines "$work/sent6") -ge 2 && $(grep -c ' fd00::11.51821 >' "$work/sent6") == "$(lines "$work/sent6")" ]] ||
	fail "not all from fd00::11: $(cat "$work/sent6")"
ip -n a addr del fd00::11/64 dev veth
answers a 192.168.7.2 || fail "after the IPv6 address went"
sees '[fd00::1]:51821' "the IPv6 address went"

# Link-local: only the interface that it came from makes sense of it.
for ns in a b; do ip -n $ns addr add fe80::7:$ns/64 dev veth nodad; done
peer b a endpoint '[fe80::7:a%veth]:51821'
answers b 192.168.7.1 || fail "over link-local addresses"
[[ $(shown a endpoints b) == '[fe80::7:b%veth]:51822' || $(shown a endpoints b) == '[fe80::'*'%veth]:51822' ]] ||
	fail "a has b at $(shown a endpoints b)"
answers a 192.168.7.2 || fail "a ping by the other side over link-local addresses"

# New settings of the interface or the endpoint forget the source.
forgotten() {
	peer b a endpoint 10.0.0.11:51821
	answers b 192.168.7.1 || fail "before: $*"
	sees 10.0.0.11:51821 "before: $*"
	"$@"
	answers a 192.168.7.2 || fail "$*"
	sees "10.0.0.1:$(in_ns a wg show wg0 listen-port)" "$*"
}
# rows D13 O4
forgotten in_ns a wg set wg0 fwmark 7
# row P6
forgotten peer a b endpoint 10.0.0.2:51822

# The route moves to another interface: so does the source.
ip link add veth2 netns a type veth peer name veth2 netns b
ip -n a addr add 10.2.0.1/24 dev veth2
ip -n b addr add 10.2.0.2/24 dev veth2
ip -n a link set veth2 up
ip -n b link set veth2 up
peer b a endpoint 10.0.0.11:51821
answers b 192.168.7.1 || fail "before the other route"
sees 10.0.0.11:51821 "before the other route"
ip -n a route add 10.0.0.2/32 dev veth2
answers a 192.168.7.2 || fail "over another interface"
# row D12
sees 10.2.0.1:51821 "another interface"
ip -n a route del 10.0.0.2/32 dev veth2
answers a 192.168.7.2 || fail "the first route again"

# The address may live on another interface than the route: it is a local one all the same.
ip -n a link add other type dummy
ip -n a addr add 10.7.7.7/32 dev other
ip -n b route add 10.7.7.7/32 via 10.0.0.1
peer b a endpoint 10.7.7.7:51821
answers b 192.168.7.1 || fail "to an address of another interface"
answers a 192.168.7.2 || fail "from an address of another interface"
sees 10.7.7.7:51821 "an address of another interface"
