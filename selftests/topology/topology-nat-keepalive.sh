#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# One behind NAT with persistent keepalive.
#
#	home 10.1.0.2 --- router (NAT) 198.51.100.1 --- Internet --- server 198.51.100.2
#	wg0 192.168.7.1                                              wg0 192.168.7.2

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
home router home 1
host server 2
peer home server allowed-ips 192.168.7.2/32 endpoint 198.51.100.2:51822
peer server home allowed-ips 192.168.7.1/32
up home server

# Without keepalives the way back lasts as long as the router remembers: 120 s.
answers home 192.168.7.2 || fail "from home"
[[ $(shown server endpoints home) == 198.51.100.1:51821 ]] || fail "the server learned $(shown server endpoints home)"
pass 60
answers server 192.168.7.1 || fail "the way back while the router remembers"
pass 140
unanswered server 192.168.7.1 || fail "the server reaches a host that the router has forgotten"

# Setting an interval sends one at once.
peer home server persistent-keepalive 25
pass 1
answers server 192.168.7.1 || fail "the way back after a keepalive"
for _ in 1 2 3; do
	pass 200
	answers server 192.168.7.1 || fail "the way back while keepalives go"
done

# A router that loses its memory learns the mapping again from the next keepalive, within 25 s.
in_ns router conntrack -F 2>/dev/null
unanswered server 192.168.7.1 || fail "the server reaches a host that the router was made to forget"
pass 28
answers server 192.168.7.1 || fail "the way back after the next keepalive"

peer home server persistent-keepalive 0
pass 160
unanswered server 192.168.7.1 || fail "keepalives do not end"
