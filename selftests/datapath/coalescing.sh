#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# needs: c-module
# limit: 120
# Packets that come one by one from a sender like the C driver are coalesced, so that the stack has
# something to merge, but they do not wait for long.

. "$(dirname "$0")/../lib.sh"

skip_on_c "does not coalesce packets"

load_module
load_c_module
kind[theirs]=wireguarc
joined ours theirs
tunnel ours theirs
answers theirs 192.168.7.1 || fail "the first ping"
head -c 3000000 /dev/urandom >"$work/sent"

# stream: a stream of segments comes, merged and without any that was held up.
stream() {
	local before late received sent
	before=$(snmp ours InSegs)
	late=$(snmp theirs RetransSegs)+$(snmp theirs TCPLossProbes)
	carry theirs ours 192.168.7.1 262144
	sent=$(($(stat -c %s "$work/sent") / 1368)) received=$(($(snmp ours InSegs) - before))
	echo "$sent segments were received as $received"
	((received * 2 < sent)) || fail "$sent segments were received as $received"
	[[ $(snmp theirs RetransSegs)+$(snmp theirs TCPLossProbes) == "$late" ]] || fail "some were not there in time"
}

stream
python3 "$(dirname "$0")/coalescing.py"
# What was coalesced when the interface went down is gone, and nothing waits for it.
ip -n ours link set wg0 down
ip -n ours link set wg0 up
answers ours 192.168.7.2 || fail "a ping after the interface was down"
stream
