#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# needs: clone
# Before the machine sleeps all keys are wiped; in a clone of it nothing is sent under old keys; and
# clocks that are set do not make sessions older or younger, but a sender whose clock went back is
# not believed.

. "$(dirname "$0")/../lib.sh"

wiped() {
	objects | awk '$3 == "Keypair" { n += $2 } END { print n + 0 }'
}
# all_wiped COUNT: whether there were that many sessions, and each is wiped.
all_wiped() {
	(($(created Keypair) == $1 && $(wiped) == $1))
}

# sleeps HOW: the machine prepares to sleep, and wakes up again when the processes are frozen.
sleeps() {
	echo freezer >/sys/power/pm_test
	echo 1 >/sys/module/suspend/parameters/pm_test_delay 2>/dev/null || true
	echo "sleep: $1"
	echo "$1" >/sys/power/state || fail "the machine does not sleep by $1"
	kernel_log | grep "PM: $2" >/dev/null || fail "the log does not tell of $2"
}

load_module
joined a b
tunnel a b

# row M1. Sleep comes when the keepalives after a ping are over, so that nothing but itself touches
# a session.
answers a 192.168.7.2 || fail "the first ping"
pass 12
all_wiped 2 && fail "no session"
sleeps freeze "suspend entry"
eventually 3 all_wiped 2 || fail "sleep leaves sessions: $(objects)"
[[ $(kernel_log | grep -c 'Zeroing out all keys') == 0 ]] || fail "a timer wiped the keys"
# Not that the interface were any less than before.
pass 6
answers a 192.168.7.2 || fail "a session after sleep"
(($(created Keypair) == 4)) || fail "$(created Keypair) sessions, not two more"
# Waking up has wiped nothing.
pass 60
answers a 192.168.7.2 || fail "the session after sleep ended"
(($(created Keypair) == 4 && $(wiped) == 2)) || fail "sessions after sleep: $(objects)"
# A handshake that is under way is forgotten, too: its answer comes too late.
asks() {
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	datagram a 192.168.7.2
}
withhold a b "$work/response" "$response" asks
sleeps freeze "suspend entry"
# The next try must not come through before the late answer has been judged.
in_ns b iptables -I INPUT -p udp --sport 51821 -j DROP
let_through a
sessions=$(created Keypair)
resend b "$work/response" 10.0.0.1 51821 6001
dropped() { kernel_log | grep 'Invalid handshake response from 10.0.0.2:6001' >/dev/null; }
eventually 3 dropped || fail "the log tells of no dropped response"
[[ $(created Keypair) == "$sessions" ]] || fail "a handshake of before the sleep was completed after it"
let_through b
pass 6
answers a 192.168.7.2 || fail "a session after that"
pass 12
sleeps freeze "suspend entry"
eventually 3 all_wiped "$(created Keypair)" || fail "sleep leaves sessions: $(objects)"
pass 600
[[ $(kernel_log | grep -c 'Zeroing out all keys') == 0 ]] || fail "a timer outlived what it was for"

# row M2
cloned() {
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	answers a 192.168.7.2 || fail "before the clone"
	answers b 192.168.7.1 || fail "before the clone, the other way"
	withhold a b "$work/fresh" "$data" datagram b 192.168.7.1
	let_through a
	sessions=$(created Keypair)
	ended=$(wiped)
	insmod "$WG_OUT/clone/clone.ko" || fail "the clone's module"
	rmmod clone
	[[ $(created Keypair) == "$sessions" && $(wiped) == "$ended" ]] || fail "sessions ended: they must still receive"
	begins_anew "$work/fresh" "old"
	# The next session, which b begins: its first packet, which would have it used, comes after
	# the clone.
	ip -n b link set wg0 down
	ip -n b link set wg0 up
	in_ns a iptables -I INPUT -p udp --dport 51821 -m length --length 92 -j DROP
	capture b veth "$work/first" -w - "$data"
	datagram b 192.168.7.1
	eventually 3 has_packet "$work/first" || fail "b sends nothing under its new session"
	captured "$work/first"
	let_through a
	sessions=$(created Keypair)
	insmod "$WG_OUT/clone/clone.ko"
	rmmod clone
	begins_anew "$work/first" "next"
}
# begins_anew FILE WHICH: what the capture has for a comes in under that session, but a does not
# send under it.
begins_anew() {
	local before
	before=$(received a b)
	more() { (($(received a b) == before + 64)); }
	resend b "$1" 10.0.0.1 51821 6001
	eventually 3 more || fail "a clone does not receive under its $2 session"
	peer a b endpoint 10.0.0.2:51822
	# At once, though the last handshake was a moment ago.
	capture b veth "$work/sent" udp and dst port 51822
	datagram a 192.168.7.2
	again() { (($(created Keypair) == sessions + 2)); }
	eventually 2 again || fail "no new session in a clone, after its $2 one"
	captured "$work/sent"
	grep -m 1 . "$work/sent" | grep -q 'length 148' || fail "a clone sends under its $2 session: $(cat "$work/sent")"
}
if debug_kernel && [[ ! -d /sys/kernel/debug/kprobes ]]; then
	echo "this debug kernel cannot say that it is a clone"
else
	cloned
fi

# rows K19 H10: a clock that is set does not make the session older.
answers a 192.168.7.2 || fail "before the clock is set"
sessions=$(created Keypair)
at=$(shown a latest-handshakes b)
((at - EPOCHSECONDS < 5 && EPOCHSECONDS - at < 5)) || fail "the last handshake was at $at, not now, $EPOCHSECONDS"
now=$EPOCHSECONDS
date -s "@$((now + 100000))" >/dev/null
answers a 192.168.7.2 || fail "after the clock was set"
[[ $(created Keypair) == "$sessions" ]] || fail "a session ended by a clock that was set"
# A handshake with the clock ahead, then back to the truth. The next one is later than that all the
# same; with the C module it is not believed until the clock has caught up.
pass 6
ip -n a link set wg0 down
ip -n a link set wg0 up
answers a 192.168.7.2 || fail "with the clock ahead"
at=$(shown a latest-handshakes b)
((at >= now + 100000)) || fail "the last handshake was at $at, by a clock of $((now + 100000))"
date -s "@$((EPOCHSECONDS - 100000))" >/dev/null
pass 6
ip -n a link set wg0 down
ip -n a link set wg0 up
if on_c; then
	unanswered a 192.168.7.2 || fail "an initiation of the past was believed"
	kernel_log >"$work/log"
	grep -q 'Invalid handshake initiation from 10.0.0.1:51821' "$work/log" ||
		fail "the log tells of no dropped initiation"
else
	answers a 192.168.7.2 || fail "a clock that was set back holds up handshakes"
	at=$(shown a latest-handshakes b)
	((at - EPOCHSECONDS < 5 && EPOCHSECONDS - at < 5)) || fail "the last handshake was at $at, not now, $EPOCHSECONDS"
fi
# The other way its clock never was ahead.
ip -n b link set wg0 down
ip -n b link set wg0 up
answers b 192.168.7.1 || fail "the other side's initiation"
