#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# IPv6 only, inside and outside.
#
#	left 2001:db8::1 -------- Internet -------- right 2001:db8::2
#	wg0 fd77::1                                 wg0 fd77::2

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
host left 1
host right 2
for ns in left right net; do ip -n $ns -4 addr flush scope global; done
peer left right allowed-ips ::/0 endpoint '198.51.100.2:51822'
peer right left allowed-ips fd77::1/128
up left right
for ns in left right; do
	[[ ! $(ip -n $ns -4 addr show scope global) ]] || fail "$ns has an IPv4 address"
	[[ ! $(ip -n $ns -6 addr show dev wg0 scope link) ]] || fail "$ns has a link-local address on wg0"
done

# An endpoint of the other family leads nowhere.
unanswered left fd77::2 || fail "an answer over IPv4"
no_handshake left right || fail "a handshake over IPv4"

peer left right endpoint '[2001:db8::2]:51822'
eventually 7 answers left fd77::2 || fail "from left"
answers right fd77::1 || fail "from right"
[[ $(shown right endpoints left) == '[2001:db8::1]:51821' ]] || fail "right learned $(shown right endpoints left)"

# 1420 bytes inside are 1500 outside, so they need no fragments; one more says so itself, or is cut
# before.
capture net left "$work/large" 'ip6 and greater 1514'
capture net left "$work/fragments" 'ip6[6] = 44'
answers left fd77::2 -M "do" -s 1372 || fail "a packet of 1420 bytes"
refuses in_ns left ping -c 1 -W 1 -M "do" -s 1373 fd77::2
[[ $message == *"essage too long"* ]] || fail "a packet of 1421 bytes: $message"
answers left fd77::2 -s 1373 || fail "a packet of 1421 bytes that may be cut"
captured "$work/large"
captured "$work/fragments"
(($(lines "$work/large") >= 2)) || fail "no packet of full size on the wire"
(($(lines "$work/fragments") == 0)) || fail "fragments on the wire: $(cat "$work/fragments")"

# A stranger's address does not come in.
ip -n left addr add fd77::9/64 dev wg0 nodad
unanswered left fd77::2 -I fd77::9 || fail "an answer to an address that is not allowed"

# Roaming within IPv6.
ip -n left addr add 2001:db8::9/128 dev eth0 nodad
ip -n left addr del 2001:db8::1/128 dev eth0
ip -n net -6 route add 2001:db8::9/128 dev left
answers left fd77::2 -I fd77::1 || fail "from a new address"
[[ $(shown right endpoints left) == '[2001:db8::9]:51821' ]] || fail "right has left at $(shown right endpoints left)"
answers right fd77::1 || fail "to the new address"
