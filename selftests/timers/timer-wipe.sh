#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# All keys of a peer are wiped 540 s after the last session began, or after handshakes were given up. (Timers of that
# length are late by up to 16 s.)

. "$(dirname "$0")/../lib.sh"

wiped() {
	objects | awk '$3 == "Keypair" { n += $2 } END { print n + 0 }'
}

load_module
joined a b
tunnel a b
datagram a 192.168.7.2
pass 1
[[ $(created Keypair) == 2 ]] || fail "$(created Keypair) sessions, not one on each side"

# Another session at 125 s; the time counts from this one.
pass 124
datagram a 192.168.7.2
pass 1
[[ $(created Keypair) == 4 ]] || fail "$(created Keypair) sessions, not two on each side"
pass 537
# rows K7 T4
[[ $(wiped) == 0 ]] || fail "keys were wiped before 540 s"
pass 20
[[ $(wiped) == 4 ]] || fail "after 558 s $(wiped) of 4 sessions' keys were wiped"
[[ $(kernel_log | grep -c 'Zeroing out all keys') == 2 ]] || fail "not both sides say so"
# The response is answer enough to the second datagram.
counted b a $((148 + 64 + 148 + 64 + 32)) $((92 + 32 + 92)) || fail "b counted $(shown b transfer a)"

# With nobody there: 540 s after giving up, which takes 100 to 107 s.
ip -n b link set wg0 down
datagram a 192.168.7.2
pass 110
kernel_log | grep 'giving up' >/dev/null || fail "a did not give up"
pass 528
[[ $(kernel_log | grep -c 'Zeroing out all keys') == 2 ]] || fail "wiped less than 540 s after giving up"
pass 30
[[ $(kernel_log | grep -c 'Zeroing out all keys') == 3 ]] || fail "not wiped 540 s after giving up"
ip -n b link set wg0 up
answers a 192.168.7.2 || fail "a new session after the wipe"
