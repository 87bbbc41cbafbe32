#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the guest: MINUTES of 200 packets a second each way. None is lost, and there is one
# handshake per 120 s.
# usage: rekey.sh MINUTES

. "$WG_TOP/selftests/lib.sh"

seconds=$(($1 * 60))
mark_log rekey
load_module
joined a b
tunnel a b
# The handshake, which the first packet would wait for.
answers a 192.168.7.2 || fail "the first ping"
idling in_ns a ping -q -i 0.005 -c $((seconds * 200)) -W 2 192.168.7.2 >"$work/ping" || true
cat "$work/ping"
read -r sent got < <(awk '/packets transmitted/ { print $1, $4 }' "$work/ping")
handshakes=$(($(created Keypair) / 2))
echo "result sent=$sent answered=$got handshakes=$handshakes seconds=$seconds"
[[ $sent == $((seconds * 200)) && $got == "$sent" ]] || fail "packets were lost"
# One at the start; each of the others 120 s after the one before, at the next packet.
((handshakes == 1 + (seconds - 1) / 120 || handshakes == 1 + seconds / 121)) || fail "$handshakes handshakes in $seconds s"
check_clean_log
