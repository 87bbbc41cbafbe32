#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# The initiator makes a new session on sending after 120 s and on receiving after 165 s; the
# responder never does for age, but after 180 s the session is dead for both.

. "$(dirname "$0")/../lib.sh"

# fresh: both sides have no session but the one that a, as initiator, makes now.
fresh() {
	local ns
	for ns in a b; do ip -n $ns link set wg0 down; done
	for ns in a b; do ip -n $ns link set wg0 up; done
	datagram a 192.168.7.2
	pass 0.5
	began=$EPOCHREALTIME
	: >"$work/sent"
}

# at SECONDS: waits until the session has this age.
at() {
	pass "$(awk -v now="$EPOCHREALTIME" -v began="$began" -v age="$1" \
		'BEGIN { left = age - (now - began); print (left > 0 ? left : 0) }')"
}

# initiations A B TEXT: how many a and b have sent since "fresh".
initiations() {
	pass 0.2
	local by_a by_b
	by_a=$(grep -c ' 10.0.0.1.51821 >' "$work/sent" || true)
	by_b=$(grep -c ' 10.0.0.2.51822 >' "$work/sent" || true)
	[[ $by_a == "$1" && $by_b == "$2" ]] || fail "$3: a sent $by_a initiations and b $by_b, not $1 and $2"
}

load_module
joined a b
tunnel a b
touch "$work/sent"
capture b veth "$work/all" "$initiation"
# tcpdump writes where it likes; this copy can be emptied.
tail -n +1 -f "$work/all" >>"$work/sent" &

fresh
at 118
datagram a 192.168.7.2
initiations 0 0 "sending at 118 s"
at 120.6
datagram b 192.168.7.1
initiations 0 0 "the responder, sending at 121 s"
at 122
datagram a 192.168.7.2
# rows K3 T10
initiations 1 0 "the initiator, sending at 122 s"
datagram a 192.168.7.2
datagram b 192.168.7.1
pass 30
initiations 1 0 "the new session is there"

fresh
at 164
datagram b 192.168.7.1
initiations 0 0 "receiving at 164 s"
at 166
datagram b 192.168.7.1
# rows K8 T11
initiations 1 0 "the initiator, receiving at 166 s"

fresh
at 181
datagram b 192.168.7.1
# rows T12 T14
initiations 0 1 "the responder, sending at 181 s"

# What was encrypted in time is taken until 180 s, and not later.
fresh
in_ns a iptables -A INPUT -p udp --dport 51821 -j DROP
for number in 1 2; do
	capture b veth "$work/data$number" -w - "$data"
	datagram b 192.168.7.1
	pass 0.5
	captured "$work/data$number"
done
in_ns a iptables -D INPUT -p udp --dport 51821 -j DROP
# So that b does not miss an answer.
datagram a 192.168.7.2
at 160
before=$(received a b)
resend b "$work/data1" 10.0.0.1 51821 6001
pass 0.2
(($(received a b) == before + 64)) || fail "a packet at 160 s was not taken: $(shown a transfer b)"
at 181
resend b "$work/data2" 10.0.0.1 51821 6002
pass 0.2
# row S6
[[ $(shown a endpoints b) == *:6001 ]] || fail "a packet at 181 s was taken: it moved the endpoint"
