#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# needs: c-module
# limit: 120
# Segments that come one by one from a sender like the C driver gather until there is something to merge for the stack.

. "$(dirname "$0")/lib.sh"

# segments: what the TCP sockets of our side have received; merged ones are one.
segments() {
	in_ns ours awk '
		$1 != "Tcp:" { next }
		!column { for (column = 2; $column != "InSegs"; column++); next }
		{ print $column }
	' /proc/net/snmp
}

load_module
load_c_module
kind[theirs]=wireguarc
joined ours theirs
tunnel ours theirs
answers theirs 192.168.7.1 || fail "the first ping"

bytes=3000000
before=$(segments)
in_ns ours socat -u TCP-LISTEN:7000 "CREATE:$work/arrived" &
server=$!
eventually 10 listens ours 7000 -t || fail "socat does not listen"
head -c $bytes /dev/urandom >"$work/sent"
in_ns theirs socat -u -b 262144 "OPEN:$work/sent" TCP:192.168.7.1:7000
wait "$server"
cmp "$work/sent" "$work/arrived" || fail "something else arrived"

sent=$((bytes / 1368)) received=$(($(segments) - before))
echo "$sent segments were received as $received"
((received * 2 < sent)) || fail "$sent segments were received as $received"
