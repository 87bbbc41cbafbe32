# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# An Internet to draw topologies in: the namespace "net" routes between public hosts, each with its
# own wire to it.

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# internet: with addresses that routes lead through, 198.51.100.254 and fe80::1.
internet() {
	namespace net
	ip -n net addr add 198.51.100.254/32 dev lo
	in_ns net sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# public NS NUMBER: a host, made if it is not there, with eth0 in the Internet: 198.51.100.NUMBER
# and 2001:db8::NUMBER.
# The other end of its wire is net's interface "NS".
public() {
	local ns=$1 number=$2
	ip netns pids "$ns" >/dev/null 2>&1 || namespace "$ns"
	ip link add eth0 netns "$ns" type veth peer name "$ns" netns net
	ip -n net addr add fe80::1/64 dev "$ns" nodad
	ip -n net link set "$ns" up
	ip -n "$ns" addr add "198.51.100.$number/32" dev eth0
	ip -n "$ns" addr add "2001:db8::$number/128" dev eth0 nodad
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via 198.51.100.254 dev eth0 onlink
	ip -n "$ns" -6 route add default via fe80::1 dev eth0
	ip -n net route add "198.51.100.$number/32" dev "$ns"
	ip -n net -6 route add "2001:db8::$number/128" dev "$ns"
}

# lan ROUTER NS NUMBER: a host, made if it is not there, in a network of the router's: its eth0 has
# 10.NUMBER.0.2, the router's interface lanNUMBER has 10.NUMBER.0.1.
lan() {
	local router=$1 ns=$2 number=$3
	ip netns pids "$ns" >/dev/null 2>&1 || namespace "$ns"
	ip link add eth0 netns "$ns" type veth peer name "lan$number" netns "$router"
	ip -n "$router" addr add "10.$number.0.1/24" dev "lan$number"
	ip -n "$router" link set "lan$number" up
	ip -n "$ns" addr add "10.$number.0.2/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "10.$number.0.1"
	in_ns "$router" sysctl -qw net.ipv4.ip_forward=1
}

# nat ROUTER [HOW]: everything leaves its eth0 with the router's address, and nothing new comes in,
# as in a router at home. Entries expire as Linux has it: after 30 s, and 120 s if there was an
# answer.
nat() {
	in_ns "$1" nft -f - <<-END
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat
				oifname "eth0" masquerade ${2:-}
			}
		}
		table inet filter {
			chain input {
				type filter hook input priority filter
				iifname "eth0" ct state new drop
			}
			chain forward {
				type filter hook forward priority filter
				iifname "eth0" ct state new drop
			}
		}
	END
}

# host NS NUMBER: a public host with the interface of that number (see interface).
host() {
	public "$1" "$2"
	interface "$1" "$2"
}

# home ROUTER NS NUMBER: a host with the interface of that number behind a public router with NAT.
home() {
	public "$1" "$3"
	lan "$1" "$2" "$3"
	nat "$1"
	interface "$2" "$3"
}

# up NS…: the interfaces.
up() {
	local ns
	for ns; do ip -n "$ns" link set wg0 up; done
}

# no_handshake NS OTHER: whether there never was one.
no_handshake() {
	[[ $(shown "$1" latest-handshakes "$2") == 0 ]]
}
