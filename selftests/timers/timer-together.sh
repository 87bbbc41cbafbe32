#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# A timer for 5 s does not wait for one of the same peer for minutes that is due at about the same
# time. (Timers of 600 s are late by up to 16.4 s.)

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
datagram a 192.168.7.2
pass 1
[[ $(created Keypair) == 2 ]] || fail "$(created Keypair) sessions, not one on each side"
session=$(log_times 'Keypair [0-9]+ created' | tail -n 1)
ip -n b link set wg0 down

# row T1: at 538 s, while the keys are wiped at 540 to 557 s.
pass "$(awk -v session="$session" -v now="$(cut -d ' ' -f 1 /proc/uptime)" 'BEGIN { print 538 - (now - session) }')"
capture b veth "$work/sent" udp and src host 10.0.0.1
datagram a 192.168.7.2
pass 24
captured "$work/sent"
(($(lines "$work/sent") >= 4)) || fail "$(lines "$work/sent") initiations in 24 s: $(cat "$work/sent")"
awk '!NF { next } NR > 1 && ($1 - last < 4.99 || $1 - last > 5.65) { exit 1 } { last = $1 }' "$work/sent" ||
	fail "initiations not each 5 s: $(cut -d ' ' -f 1 "$work/sent" | tr '\n' ' ')"
