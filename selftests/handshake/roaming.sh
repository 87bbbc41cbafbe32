#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# The endpoint follows authentic packets to another address, port and family, and nothing else moves
# it.

. "$(dirname "$0")/../lib.sh"

# endpoint ADDRESS:PORT: where a thinks that b is.
endpoint() {
	located a b "$1"
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "the first ping"
endpoint 10.0.0.2:51822

# Another address: b's own packet tells a, whose answer goes there.
ip -n b addr del 10.0.0.2/24 dev veth
ip -n b addr add 10.0.0.22/24 dev veth
answers b 192.168.7.1 || fail "ping from a new address"
endpoint 10.0.0.22:51822
ip -n b addr add 10.0.0.2/24 dev veth

in_ns b wg set wg0 listen-port 4000
# row SP2
answers b 192.168.7.1 || fail "ping from a new port"
endpoint 10.0.0.22:4000
answers a 192.168.7.2 || fail "ping to the new port"

peer b a endpoint '[fd00::1]:51821'
answers b 192.168.7.1 || fail "ping from another family"
endpoint '[fd00::2]:4000'
ip -n b addr add fd00::22/64 dev veth nodad
ip -n b addr del fd00::2/64 dev veth
answers b fd77::1 || fail "ping from a new IPv6 address"
endpoint '[fd00::22]:4000'
in_ns b wg set wg0 listen-port 4001
answers b fd77::1 || fail "ping from a new port over IPv6"
endpoint '[fd00::22]:4001'
peer b a endpoint 10.0.0.1:51821
answers b 192.168.7.1 || fail "ping from the old family"
endpoint 10.0.0.22:4001

# A packet that a has not seen moves the endpoint to the address that passes it on, but only once,
# and not when it was touched.
withhold a b "$work/fresh" "$data" datagram b 192.168.7.1
let_through a
endpoint 10.0.0.22:4001

# The last byte belongs to the tag.
head -c -1 "$work/fresh" >"$work/touched"
tail -c 1 "$work/fresh" | tr '\000-\377' '\001-\377\000' >>"$work/touched"
before=$(received a b)
more() { (($(received a b) == before + $1)); }
resend b "$work/touched" 10.0.0.1 51821 5001
pass 0.5
endpoint 10.0.0.22:4001
more 0 || fail "a touched packet was counted"
resend b "$work/fresh" 10.0.0.1 51821 5002
eventually 3 more 64 || fail "a fresh packet was not counted"
endpoint 10.0.0.22:5002
resend b "$work/fresh" 10.0.0.1 51821 5003
pass 0.5
more 64 || fail "a replayed packet was counted"
endpoint 10.0.0.22:5002
answers b 192.168.7.1 || fail "ping after the replay"
endpoint 10.0.0.22:4001

# An initiation is good once.
capture b veth "$work/initiation" -w - "$initiation"
ip -n b link set wg0 down
ip -n b link set wg0 up
answers b 192.168.7.1 || fail "ping after a new handshake"
captured "$work/initiation"
before=$(received a b)
at=$(shown a latest-handshakes b)
# row H7
resend b "$work/initiation" 10.0.0.1 51821 5004
pass 0.5
more 0 || fail "a replayed initiation was counted"
endpoint 10.0.0.22:4001
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "a replayed initiation made a handshake"

# Roaming comes before the look at the inner packet: a forbidden source moves the endpoint all the
# same.
peer a b allowed-ips 192.168.7.77/32
in_ns b wg set wg0 listen-port 4002
# row E2
unanswered b 192.168.7.1 || fail "an answer to a forbidden source"
endpoint 10.0.0.22:4002
