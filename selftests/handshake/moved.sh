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
sent() {
	capture a veth "$work/sent" "$initiation and src host 10.0.0.1"
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
