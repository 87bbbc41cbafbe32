#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# Two public hosts.
#
#	left 198.51.100.1 -------- Internet -------- right 198.51.100.2
#	wg0 192.168.7.1                              wg0 192.168.7.2

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
host left 1
host right 2
peer left right allowed-ips 192.168.7.2/32,fd77::2/128 endpoint 198.51.100.2:51822
peer right left allowed-ips 192.168.7.1/32,fd77::1/128
up left right

# Without an endpoint one can only wait.
unanswered right 192.168.7.1 || fail "right speaks without knowing where left is"
answers left 192.168.7.2 || fail "IPv4 from left"
answers left fd77::2 || fail "IPv6 from left"
answers right 192.168.7.1 || fail "IPv4 from right"
answers right fd77::1 || fail "IPv6 from right"
[[ $(shown right endpoints left) == 198.51.100.1:51821 ]] || fail "right learned $(shown right endpoints left)"

# The Internet carries nothing but encrypted messages of the two ports.
capture net left "$work/inner" 'ip and not (udp port 51821 and udp port 51822)'
capture net left "$work/outer" "$data"
answers left 192.168.7.2 -c 3 -i 0.1 || fail "ping under observation"
captured "$work/inner"
captured "$work/outer"
(($(lines "$work/outer") == 6)) || fail "not 6 data messages: $(cat "$work/outer")"
(($(lines "$work/inner") == 0)) || fail "something else on the wire: $(cat "$work/inner")"

# An address that is not allowed goes neither out nor in.
ip -n left addr add 192.168.7.9/24 dev wg0
unanswered left 192.168.7.2 -I 192.168.7.9 || fail "an answer to an address that is not allowed"
refuses in_ns left ping -c 1 -W 1 192.168.7.8
[[ $message == *"Required key not available"* ]] || fail "no peer for 192.168.7.8: $message"
