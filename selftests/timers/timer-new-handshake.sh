#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 150
# A host that has sent data and hears nothing for 15 s makes a new handshake; a keepalive does not
# wait for an answer.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
retries() {
	kernel_log | grep -c 'because we stopped hearing back after 15 seconds' || true
}

# only_responses -A|-D: of b, only handshake responses get through, until that is taken back.
only_responses() {
	in_ns b iptables "$1" OUTPUT -o veth -p udp -m length ! --length 120 -j DROP
}

# anew: both forget their sessions.
anew() {
	local ns
	for ns in a b; do ip -n "$ns" link set wg0 down; done
	for ns in a b; do ip -n "$ns" link set wg0 up; done
}

# The first data of a session, which waited for it, is waited for as well: of b, only the response
# gets through.
only_responses -A
capture b veth "$work/first" udp and dst port 51822
datagram a 192.168.7.2
pass 14.5
# row T3
[[ $(lines "$work/first") == 2 ]] || fail "the first data, before 15 s: $(cat "$work/first")"
pass 2
[[ $(lines "$work/first") -ge 3 && $(grep -c 'length 148' "$work/first") == 2 && $(retries) == 1 ]] ||
	fail "the first data, after 15 s: $(cat "$work/first")"
captured "$work/first"
only_responses -D
pass 6

answers a 192.168.7.2 || fail "the first ping"
# The ping's answer gets its keepalive.
pass 15

# So is what waited at the responder until the session was confirmed: again, only the response gets
# through.
anew
only_responses -A
datagram b 192.168.7.1
datagram a 192.168.7.2
pass 1
# Nothing more of a, which would end the wait.
in_ns a iptables -A OUTPUT -o veth -j DROP
pass 16
# row T3
session=$(log_times 'Keypair [0-9]+ created' | tail -n 1)
retry=$(log_times '[(]10[.]0[.]0[.]1:51821[)] because we stopped hearing' | tail -n 1)
within 14.99 15.65 "$session" "${retry:-0}" || fail "what waited for confirmation: $(kernel_log | tail -n 20)"
in_ns a iptables -D OUTPUT -o veth -j DROP
only_responses -D
# Both try again now, so that their initiations may cross time after time: they begin anew.
anew
answers a 192.168.7.2 || fail "both are heard again"
pass 15
before=$(retries)
ip -n b link set wg0 down
in_ns b iptables -A OUTPUT -j DROP

capture b veth "$work/sent" udp and dst port 51822
datagram a 192.168.7.2
pass 3
datagram a 192.168.7.2
pass 11.5
# row T3
[[ $(lines "$work/sent") == 2 ]] || fail "before 15 s: $(cat "$work/sent")"
pass 1.5
[[ $(lines "$work/sent") == 3 ]] || fail "after 15 s: $(cat "$work/sent")"
# Fifteen seconds from the first of the two, plus jitter; then every five seconds.
pass 5.5
awk 'NR == 1 { first = $1 } NR == 3 { third = $1 - first } NR == 4 { fourth = $1 - first - third }
	END { print third, fourth; exit !(NR == 4 && third >= 14.99 && third < 15.65 && fourth >= 4.99 && fourth < 5.65) }' \
	"$work/sent" || fail "when it was sent: $(cat "$work/sent")"
[[ $(grep -c 'length 148' "$work/sent") == 2 ]] || fail "not initiations: $(cat "$work/sent")"
captured "$work/sent"
(($(retries) == before + 1)) || fail "the log does not say so"

# b is back: the attempts succeed.
in_ns b iptables -D OUTPUT -j DROP
ip -n b link set wg0 up
pass 6
answers a 192.168.7.2 || fail "b is back"
pass 15

# What could not be sent is not waited for.
ip -n a route del 10.0.0.0/24 dev veth
datagram a 192.168.7.2
pass 16
(($(retries) == before + 1)) || fail "a handshake because of what was not sent"
ip -n a route add 10.0.0.0/24 dev veth
answers a 192.168.7.2 || fail "a has its route again"
pass 11

# Keepalives alone: no new handshake within the life of the session.
peer a b persistent-keepalive 7
pass 1
in_ns b iptables -A OUTPUT -j DROP
capture b veth "$work/keepalives" udp and dst port 51822
pass 60
# row D18
[[ $(grep -c 'length 32' "$work/keepalives") == "$(lines "$work/keepalives")" ]] || fail "not only keepalives: $(cat "$work/keepalives")"
(($(lines "$work/keepalives") >= 8)) || fail "keepalives are missing: $(cat "$work/keepalives")"
captured "$work/keepalives"
