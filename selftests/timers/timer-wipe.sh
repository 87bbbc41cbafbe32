#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# All keys of a peer are wiped 540 s after the last session began, or after handshakes were given
# up. (Timers of that length are late by up to 16.4 s.)

. "$(dirname "$0")/../lib.sh"

zeroing='Zeroing out all keys'

load_module
joined a b
tunnel a b
datagram a 192.168.7.2
pass 1
[[ $(created Keypair) == 2 ]] || fail "$(created Keypair) sessions, not one on each side"

# Another session at 125 s; the time counts from this one.
pass 124
datagram a 192.168.7.2
pass 560
[[ $(created Keypair) == 4 ]] || fail "$(created Keypair) sessions, not two on each side"
session=$(log_times 'Keypair [0-9]+ created' | tail -n 1)
log_times "$zeroing" >"$work/zeroed"
log_times 'Keypair [0-9]+ destroyed' >"$work/destroyed"
# rows K7 T4
[[ $(lines "$work/destroyed") == 4 ]] || fail "$(lines "$work/destroyed") of 4 sessions' keys were wiped"
[[ $(lines "$work/zeroed") == 2 ]] || fail "not both sides say so"
while read -r when; do
	within 539.98 556.5 "$session" "$when" || fail "wiped at $when, and the session began at $session"
done < <(cat "$work/zeroed" "$work/destroyed")
# The response is answer enough to the second datagram.
counted b a $((148 + 64 + 148 + 64 + 32)) $((92 + 32 + 92)) || fail "b counted $(shown b transfer a)"

# With no host there: 540 s after giving up, which takes 100 to 107 s.
ip -n b link set wg0 down
datagram a 192.168.7.2
pass 670
given_up=$(log_times 'giving up' | tail -n 1)
[[ $given_up ]] || fail "a did not give up"
[[ $(log_times "$zeroing" | wc -l) == 3 ]] || fail "not wiped after giving up"
zeroed=$(log_times "$zeroing" | tail -n 1)
within 539.98 556.5 "$given_up" "$zeroed" || fail "given up at $given_up, wiped at $zeroed"
ip -n b link set wg0 up
answers a 192.168.7.2 || fail "a new session after the wipe"
