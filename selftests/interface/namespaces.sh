#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 120
# The outside of an interface stays in the namespace it was made in, the inside moves; either
# namespace may go.

. "$(dirname "$0")/../lib.sh"

logged() {
	[[ $(kernel_log | grep -c "$1") == "$2" ]]
}

# refused TEXT COMMAND…
refused() {
	local text=$1
	shift
	refuses "$@"
	[[ $message == *"$text"* ]] || fail "'$*' failed with: $message"
}

load_module
joined a b
namespace c
# Configured in one namespace, moved to another, the addresses given there.
interface a 1
interface b 2
peer a b allowed-ips 192.168.7.2/32 endpoint 10.0.0.2:51822
peer b a allowed-ips 192.168.7.1/32
ip -n a link set wg0 netns c
private[c]=${private[a]}
public[c]=${public[a]}
ip -n c addr add 192.168.7.1/24 dev wg0
ip -n b link set wg0 up
ip -n c link set wg0 up
answers c 192.168.7.2 || fail "ping from the new namespace"
answers b 192.168.7.1 || fail "ping to the new namespace"
# row NS1
listens a 51821 -u || fail "the socket left the namespace it was made in"
if listens c 51821 -u; then fail "a socket in the new namespace"; fi
# row NS2
refused "No such device" in_ns a wg show wg0
refused "No such device" in_ns a wg set wg0 fwmark 1
in_ns c wg set wg0 fwmark 1 listen-port 5000
listens a 5000 -u || fail "the new port is not in the first namespace"
answers c 192.168.7.2 || fail "ping from the new port"

# The namespace of the request, not the one that the link goes to, has the socket.
ip -n a link add wg1 netns c type wireguard
in_ns c wg set wg1 listen-port 5001
ip -n c link set wg1 up
# row L4
listens a 5001 -u || fail "the socket of a link that was made for another namespace"
ip -n c link del wg1

# The first namespace goes: no carrier, no sockets, no way up, but still an interface with its
# settings.
ip netns del a
eventually 10 logged 'Creating namespace exiting' 1 || fail "the log does not tell of the namespace's end"
no_carrier() { [[ $(in_ns c cat /sys/class/net/wg0/carrier) == 0 ]]; }
# row NS3
eventually 10 no_carrier || fail "a carrier without a socket"
datagram c 192.168.7.2 || fail "a packet is dropped"
refused "Operation not permitted" in_ns c wg set wg0 listen-port 5002
refused "Operation not permitted" in_ns c wg set wg0 fwmark 2
peer c b persistent-keepalive 3
[[ $(shown c persistent-keepalive b) == 3 ]] || fail "other settings"
[[ $(in_ns c wg show wg0 fwmark) == 0x1 ]] || fail "the fwmark"
ip -n c link set wg0 down
# row U6
refused "not on the network" ip -n c link set wg0 up

# The namespace of the interface goes, and the interface with it.
created_before=$(created Interface)
ip netns del c
# row NS4
eventually 10 logged 'Interface destroyed' 2 || fail "the interface outlived its namespace"
ip netns del b
eventually 10 logged 'Interface destroyed' "$created_before" || fail "the other interface outlived its namespace"

# Two namespaces, each with the other's interface and a tunnel between them: both can go.
joined d e
tunnel d e
ip -n d link set wg0 netns e name wg1
ip -n e link set wg0 netns d
for ns in d e; do
	number=$([[ $ns == d ]] && echo 2 || echo 1)
	name=$([[ $ns == d ]] && echo wg0 || echo wg1)
	ip -n $ns addr add "192.168.7.$number/24" dev "$name"
	ip -n $ns link set "$name" up
done
answers d 192.168.7.1 || fail "ping between interfaces of exchanged namespaces"
answers e 192.168.7.2 || fail "ping between interfaces of exchanged namespaces, the other way"
ip netns del d
ip netns del e
gone() { logged 'Interface destroyed' "$(created Interface)"; }
# row NS5
eventually 20 gone || fail "interfaces that hold each other's namespaces stay"

# An interface in a namespace of its own making, with the namespace as its only user.
namespace f
ip -n f link add wg0 type wireguard
in_ns f wg set wg0 listen-port 5003
ip -n f link set wg0 up
ip netns del f
eventually 10 gone || fail "the last interface stays"
