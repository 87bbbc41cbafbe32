#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# Both behind NAT, through a relay ("bounce server").
#
#	a 10.1.0.2 --- router1 (NAT) 198.51.100.1 ---+
#	wg0 192.168.7.1                              |
#	                                         Internet --- relay 198.51.100.3
#	                                             |        wg0 192.168.7.3
#	b 10.2.0.2 --- router2 (NAT) 198.51.100.2 ---+
#	wg0 192.168.7.2

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
home router1 a 1
home router2 b 2
host relay 3
for ns in a b; do
	peer $ns relay allowed-ips 192.168.7.0/24,fd77::/64 endpoint 198.51.100.3:51823 persistent-keepalive 25
done
peer relay a allowed-ips 192.168.7.1/32,fd77::1/128
peer relay b allowed-ips 192.168.7.2/32,fd77::2/128
up relay a b
pass 1

answers a 192.168.7.3 || fail "a to the relay"
answers b 192.168.7.3 || fail "b to the relay"
unanswered a 192.168.7.2 || fail "a reaches b though the relay does not forward"
in_ns relay sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1
answers a 192.168.7.2 || fail "a to b"
answers b 192.168.7.1 || fail "b to a"
answers a fd77::2 || fail "a to b, IPv6"
pass 300
answers b 192.168.7.1 || fail "b to a after five minutes"

# One hop, and not one message goes from router to router.
in_ns a ping -c 1 -W 1 192.168.7.2 | grep ttl=63 >/dev/null || fail "not one hop between a and b"
capture net router1 "$work/router1" 'udp and host 198.51.100.2'
capture net router1 "$work/relay" 'udp and host 198.51.100.3'
answers a 192.168.7.2 -s 5000 || fail "large packets from a to b"
captured "$work/router1"
captured "$work/relay"
(($(lines "$work/router1") == 0)) || fail "a speaks to b itself: $(cat "$work/router1")"
(($(lines "$work/relay") >= 8)) || fail "nothing goes through the relay: $(cat "$work/relay")"

# What the relay does not allow b, a does not hear.
peer relay b allowed-ips 192.168.7.22/32
unanswered b 192.168.7.1 || fail "b is heard though the relay does not allow it"
