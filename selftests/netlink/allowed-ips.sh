#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# The longest prefix decides where a packet goes and who may have sent it; prefixes move between
# peers and vanish.

. "$(dirname "$0")/../lib.sh"

# sent B C: whether a has sent B bytes to b and C bytes to c, as far as they are its peers.
sent() {
	local key tx
	while read -r key _ tx; do
		[[ $key == "${public[b]}" && $tx == "$1" || $key == "${public[c]}" && $tx == "$2" ]] || return 1
	done < <(in_ns a wg show wg0 transfer)
}

to_b=0
to_c=0
# goes_to PEER ADDRESS [MORE]: a packet to the address makes that peer's counter grow, and no
# other's.
goes_to() {
	local -n counter=to_$1
	((counter += 64 + ${3:-0}))
	[[ $2 != *:* ]] || ((counter += 32))
	datagram a "$2" || fail "$2 cannot be sent to"
	eventually 3 sent $to_b $to_c || fail "to $2 by $1 makes $to_b for b, $to_c for c, not: $(in_ns a wg show wg0 transfer)"
}

# no_peer ADDRESS: the packet is dropped as there is no key for it.
no_peer() {
	local errors
	errors=$(statistic a tx_errors)
	refuses datagram a "$1"
	[[ $message == *"Required key not available"* ]] || fail "$1: $message"
	(($(statistic a tx_errors) == errors + 1)) || fail "tx_errors after $1"
}

# refused_from ADDRESS: what b sends from this address is counted as an error at a and not
# delivered.
refused_from() {
	local frames errors rx
	ip -n b addr add "$1" dev wg0 2>/dev/null || true
	frames=$(statistic a rx_frame_errors)
	errors=$(statistic a rx_errors)
	rx=$(received a b)
	unanswered b 192.168.7.1 -I "${1%/*}" || fail "a packet from $1 was answered"
	(($(statistic a rx_frame_errors) == frames + 1)) || fail "rx_frame_errors after a packet from $1"
	(($(statistic a rx_errors) == errors + 1)) || fail "rx_errors after a packet from $1"
	[[ $(received a b) == "$rx" ]] || fail "a packet from $1 was counted as received"
}

# listed PEER PREFIXES: as "wg show" has them, in this order.
listed() {
	[[ $(shown a allowed-ips "$1") == "$2" ]] || fail "$1 has $(shown a allowed-ips "$1"), not $2"
}

load_module
joined a b
joined a c 1 veth1
tunnel a b
interface c 3
peer c a allowed-ips 192.168.7.1/32,fd77::1/128
peer a c allowed-ips 192.168.7.3/32,fd77::3/128 endpoint 10.1.0.2:51823
ip -n c link set wg0 up
ip -n a route add default dev wg0
ip -n a -6 route add default dev wg0

# Sessions, but no data from b and c, so that a sends no keepalives that would disturb the counting.
goes_to b 192.168.7.2 148
goes_to c 192.168.7.3 148

# row D2
no_peer 172.16.0.1
no_peer 2001:db8::1
peer a b allowed-ips 0.0.0.0/0,10.9.0.0/16,10.9.1.128/25,::/0,2001:db8::/32,2001:db8:1:8000::/49
peer a c allowed-ips 10.0.0.0/7,10.9.1.0/24,10.9.1.130/32,2001:db8:1::/48,2001:db8:1:8000::7/128
# rows A1 A2
goes_to b 9.255.255.255
goes_to c 11.1.1.1
goes_to b 10.9.2.1
goes_to c 10.9.1.127
goes_to b 10.9.1.128
goes_to c 10.9.1.130
goes_to b 10.9.1.131
goes_to b 2001:db7::1
goes_to b 2001:db8:2::1
goes_to c 2001:db8:1:7fff::1
goes_to b 2001:db8:1:8000::8
goes_to c 2001:db8:1:8000::7

# Moved to the other peer, and away: shorter prefixes take over, nothing is given back.
peer a c allowed-ips 10.0.0.0/7,10.9.1.0/24,10.9.1.130/32,2001:db8:1::/48,2001:db8:1:8000::7/128,10.9.0.0/16
# row A3
listed b "0.0.0.0/0 10.9.1.128/25 ::/0 2001:db8::/32 2001:db8:1:8000::/49"
goes_to c 10.9.2.1
goes_to b 10.9.1.131
in_ns a wg set wg0 peer "${public[b]}" allowed-ips -10.9.1.128/25,-10.9.0.0/16
listed b "0.0.0.0/0 ::/0 2001:db8::/32 2001:db8:1:8000::/49"
goes_to c 10.9.1.131
goes_to c 10.9.2.1
in_ns a wg set wg0 peer "${public[c]}" remove
ip -n c link set wg0 down
[[ ! $(shown a allowed-ips c) ]] || fail "a removed peer still has prefixes"
# row A8
goes_to b 10.9.2.1
goes_to b 2001:db8:1:8000::7
peer a b allowed-ips ""
listed b "(none)"
no_peer 10.9.2.1
no_peer 2001:db8:1:8000::7

# The order is that of insertion, host bits are cut off, and a prefix once more goes to the end.
peer a b allowed-ips 10.3.3.3/16,10.1.0.0/16,fd03::5/16
peer a b allowed-ips +10.2.0.0/16,+10.3.0.0/16
listed b "10.1.0.0/16 fd03::/16 10.2.0.0/16 10.3.0.0/16"

# Inside sources: another peer's more specific prefix, and no peer's.
peer a b allowed-ips 192.168.7.0/24
answers b 192.168.7.1 || fail "a source that is allowed"
peer a c allowed-ips 192.168.7.99/32
# row E3
refused_from 192.168.7.99/32
refused_from 172.16.0.1/32
answers b 192.168.7.1 || fail "after dropped packets"
