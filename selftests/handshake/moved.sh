#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# A peer is given another endpoint by its administrator. With a session a handshake begins at once,
# there; the C module waits for 15 seconds without an answer. Nothing is sent without a session, nor
# for the endpoint that the peer has.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
ip -n b addr add 10.0.0.3/24 dev veth
tunnel a b

# sent COMMAND…: how many initiations a sends within a moment of the command.
initiations="$initiation and src host 10.0.0.1"
sent() {
	capture a veth "$work/sent" "$initiations"
	"$@"
	pass 2
	captured "$work/sent"
	lines "$work/sent"
}

expected() {
	[[ $2 == "$1" ]] || fail "$3: $2 initiations, not $1: $(cat "$work/sent")"
}

new=1
! on_c || new=0

# row T15
expected 0 "$(sent peer a b endpoint 10.0.0.3:51822)" "no session yet"
peer a b endpoint 10.0.0.2:51822
answers a 192.168.7.2 || fail "a session"
expected 0 "$(sent peer a b endpoint 10.0.0.2:51822)" "the same endpoint"
# Also if the last handshake was a moment ago.
expected $new "$(sent peer a b endpoint 10.0.0.3:51822)" "another endpoint"
on_c || grep -q '> 10.0.0.3.51822' "$work/sent" || fail "not there: $(cat "$work/sent")"
on_c || eventually 3 is_at a b 10.0.0.3:51822 || fail "the peer is somewhere else"
answers a 192.168.7.2 || fail "afterwards"
# A session that is over is none.
pass 185
expected 0 "$(sent peer a b endpoint 10.0.0.2:51822)" "a session of three minutes ago"
ip -n a link set wg0 down
expected 0 "$(sent peer a b endpoint 10.0.0.3:51822)" "an interface that is down"

# A flow label is no part of an endpoint. The messages that come back carry none.
if has_ipv6; then
	ip -n a link set wg0 up
	initiations='ip6 src host fd00:0::1 and ip6[48:4] = 0x01000000'
	peer a b endpoint '[fd00:0::2]:51822'
	answers a 192.168.7.2 || fail "over IPv6"
	labelled() {
		in_ns a python3 -c '
import base64, sys
from wgtest import genl
key = base64.b64decode(sys.argv[1])
there = genl.sockaddr("fd00::2", 51822, flow=0x12345)
genl.Client().set(genl.name("wg0"), genl.peers(genl.peer(key, endpoint=there)))' "${public[b]}"
	}
	expected 0 "$(sent labelled)" "the same endpoint with a flow label"
	answers a 192.168.7.2 || fail "with a flow label"
	expected 0 "$(sent labelled)" "the same endpoint with a flow label again"
fi
