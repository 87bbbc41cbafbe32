#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Only with the same preshared key on both sides is there a session, and a new one counts from the
# next handshake on.

. "$(dirname "$0")/../lib.sh"

# psk NS OTHER [KEY]: the key zero without KEY.
psk() {
	printf %s "${3:-}" >"$work/psk"
	peer "$1" "$2" preshared-key "$work/psk"
}

one=$(wg genpsk)
two=$(wg genpsk)
load_module
joined a b
tunnel a b

# Different, then the same: a's next attempt succeeds.
[[ $(shown a preshared-keys b) == "(none)" ]] || fail "a preshared key from nowhere"
psk a b "$one"
psk b a "$two"
[[ $(shown a preshared-keys b) == "$one" ]] || fail "the preshared key is not shown"
datagram a 192.168.7.2
pass 12
[[ $(shown a latest-handshakes b) == 0 ]] || fail "a handshake in spite of different keys"
[[ $(shown b latest-handshakes a) == 0 ]] || fail "b believes in a handshake"
# Initiations are counted where they were good; a must not count the responses that it cannot
# decrypt.
[[ $(shown a transfer b) == 0$'\t'* ]] || fail "a received: $(shown a transfer b)"
psk b a "$one"
pass 6
answers a 192.168.7.2 || fail "the same key on both sides"
(($(shown a latest-handshakes b) > 0)) || fail "no handshake"

# None on one side.
ip -n a link set wg0 down
psk b a
[[ $(shown b preshared-keys a) == "(none)" ]] || fail "a removed preshared key is shown"
ip -n a link set wg0 up
unanswered a 192.168.7.2 || fail "a key on one side only"
psk a b
pass 6
answers a 192.168.7.2 || fail "no key on both sides"

# A session outlives the change; the next handshake needs the new key.
at=$(shown a latest-handshakes b)
psk a b "$two"
# row P5
answers a 192.168.7.2 || fail "the change ended the session"
pass 118
answers a 192.168.7.2 || fail "the session ended before its time"
pass 2
answers a 192.168.7.2 || fail "the session ended for a handshake that failed"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "a rekeyed with another key than b's"
pass 65
unanswered a 192.168.7.2 || fail "an answer in a session of 180 s"
pass 6
unanswered a 192.168.7.2 || fail "an answer without a session"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "a handshake with another key than b's"
psk b a "$two"
pass 6
answers a 192.168.7.2 || fail "the new key on both sides"
(($(shown a latest-handshakes b) > at + 180)) || fail "the time of the handshake: $(shown a latest-handshakes b)"
