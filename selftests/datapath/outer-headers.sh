#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# The headers of outer datagrams that leave one by one: their checksums are right, and no two have
# the same identification, so that their fragments cannot be mixed up. Both hold when a program
# sends many of them with one call.

. "$(dirname "$0")/../lib.sh"

# send SIZE CALLS: UDP datagrams of that size into the tunnel, forty with a call.
send() {
	in_ns a python3 - "$@" <<-'END'
		import socket, sys
		size, calls = map(int, sys.argv[1:])
		UDP_SEGMENT = 103
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
		    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
		    for _ in range(calls):
		        sock.sendto(bytes(size * 40), ("192.168.7.2", 9))
	END
}

load_module
joined a b
tunnel a b
# Checksums are computed before the packet leaves, so that the capture shows them.
in_ns a ethtool -K veth tx off
answers a 192.168.7.2 || fail "the first ping"
capture a veth "$work/out" -Q out -s 2000 -B 8192 -vv udp
send 1300 5
send 101 5
send 7 2
reached() {
	(($(grep -c 'UDP, length' "$work/out") >= 480))
}
eventually 20 reached || {
	captured "$work/out"
	in_ns a wg show wg0
	ip -n a -s link show dev wg0
	fail "480 datagrams were sent, the capture has $(lines "$work/out") lines: $(cat "$work/out.err")"
}
captured "$work/out"

# row D8
bad=$(grep 'UDP, length' "$work/out" | grep -v 'udp sum ok' || true)
[[ ! $bad ]] || fail "wrong checksums: ${bad:0:400}"
twice=$(grep -o ' id [0-9]*,' "$work/out" | sort | uniq -d)
[[ ! $twice ]] || fail "identifications that were given twice:" "${twice//$'\n'/ }"
(($(grep -c ' id [0-9]*,' "$work/out") >= 480)) || fail "the capture shows no identifications"
