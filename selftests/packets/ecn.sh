#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Outside, a packet has the congestion bits of the inner one and nothing else of its traffic class;
# inside, the receiver sees congestion that the packet met on its way. Handshakes have a class of
# their own.

. "$(dirname "$0")/../lib.sh"

# class FILE: the traffic class of the first packet in a capture of Ethernet, as two hexadecimal
# digits.
class() {
	local version byte
	version=$(od -An -tx1 -j 54 -N 1 "$1" | tr -d ' ')
	if [[ ${version:0:1} == 6 ]]; then
		byte=$(od -An -tx1 -j 55 -N 1 "$1" | tr -d ' ')
		echo "${version:1:1}${byte:0:1}"
	else
		od -An -tx1 -j 55 -N 1 "$1" | tr -d ' '
	fi
}

# outside CLASS EXPECTED OPTIONS…: a ping with this class inside leaves with the other outside.
outside() {
	local inner=$1 expected=$2 filter="src 10.0.0.1 and $data"
	shift 2
	if [[ $(shown a endpoints b) == *:*:* ]]; then filter="src fd00::1 and ip6[48:4] = 0x04000000"; fi
	capture b veth "$work/outside" -c 1 -w - "$filter"
	answers a "$@" -Q "0x$inner" || fail "a ping of class $inner to $1"
	wait "${captures[$work/outside]}"
	[[ $(class "$work/outside") == "$expected" ]] || fail "class $inner to $1 left with $(class "$work/outside"), not $expected"
}

# inside OUTER CLASS EXPECTED ADDRESS: a ping of this class, whose bits outside become OUTER,
# arrives as EXPECTED.
inside() {
	in_ns a nft "flush chain inet way out; add rule inet way out udp dport 51822 ip ecn set $1"
	capture b wg0 "$work/inside" -v "icmp or icmp6"
	answers a "$4" -Q "0x$2" || fail "a ping of class $2 that became $1 outside"
	captured "$work/inside"
	# tcpdump tells of no class where it is zero over IPv6.
	local line expected=$3
	line=$(grep -m 1 'echo request\|class\|tos' "$work/inside")
	if [[ $4 == *:* ]]; then
		if [[ $expected == 0x0 ]]; then
			[[ $line != *class* ]]
		else
			[[ $line == *"class $expected,"* ]]
		fi
	else
		[[ $line == *"tos $expected,"* ]]
	fi || fail "class $2 to $4, $1 outside, arrived as: $line"
}

load_module
joined a b
tunnel a b
capture b veth "$work/initiation" -c 1 -w - "$initiation"
capture b veth "$work/response" -c 1 -w - "$response"
answers a 192.168.7.2 || fail "the first ping"
wait "${captures[$work/initiation]}" "${captures[$work/response]}"
# row K18
[[ $(class "$work/initiation") == 88 ]] || fail "an initiation has class $(class "$work/initiation")"
[[ $(class "$work/response") == 88 ]] || fail "a response has class $(class "$work/response")"

# The answer has the same class. CE of the inner packet is not copied outward (RFC 3168).
# row D9
outside 00 00 192.168.7.2
outside 01 01 192.168.7.2
outside 02 02 192.168.7.2
outside 03 02 192.168.7.2
outside b8 00 192.168.7.2
outside ba 02 192.168.7.2
outside 22 02 fd77::2
outside 03 02 fd77::2
# A keepalive has none.
peer a b persistent-keepalive 0
capture b veth "$work/keepalive" -c 1 -w - "src 10.0.0.1 and $data and udp[4:2] = 40"
peer a b persistent-keepalive 100
wait "${captures[$work/keepalive]}"
peer a b persistent-keepalive 0
# row D17
[[ $(class "$work/keepalive") == 00 ]] || fail "a keepalive has class $(class "$work/keepalive")"

in_ns a nft 'add table inet way; add chain inet way out { type filter hook output priority 0; }'
# row E5
inside ce 02 0x3 192.168.7.2
inside ce 01 0x3 192.168.7.2
inside ce b9 0xbb 192.168.7.2
inside ce 00 0x0 192.168.7.2
inside ect1 02 0x1 192.168.7.2
inside ect0 01 0x1 192.168.7.2
inside not-ect 02 0x2 192.168.7.2
inside ce 02 0x03 fd77::2
inside ce 00 0x0 fd77::2
in_ns a nft delete table inet way

peer a b endpoint '[fd00::2]:51822'
answers a 192.168.7.2 || fail "over IPv6"
outside 01 01 192.168.7.2
outside 2e 02 fd77::2
outside 03 02 192.168.7.2
outside fc 00 fd77::2
