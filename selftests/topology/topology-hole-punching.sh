#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# UDP hole punching with known ports: both behind NAT that keeps the ports, each sends to where the
# other one will be.
#
#	a 10.1.0.2 --- router1 (NAT) 198.51.100.1 --- Internet --- router2 (NAT) 198.51.100.2 --- b 10.2.0.2
#	wg0 192.168.7.1, port 51821                                          wg0 192.168.7.2, port 51822

. "$(dirname "$0")/../lib/topology.sh"

load_module
internet
home router1 a 1
home router2 b 2
peer a b allowed-ips 192.168.7.2/32 endpoint 198.51.100.2:51822 persistent-keepalive 25
peer b a allowed-ips 192.168.7.1/32
up a b

# One alone does not get through.
pass 12
no_handshake a b || fail "a got through to b alone"
no_handshake b a || fail "b heard a before it sent anything"

# The other one's first message passes a's router, or a's next, within 6 s, passes b's.
peer b a endpoint 198.51.100.1:51821 persistent-keepalive 25
eventually 7 answers a 192.168.7.2 || fail "a to b"
answers b 192.168.7.1 || fail "b to a"
[[ $(shown a endpoints b) == 198.51.100.2:51822 ]] || fail "a has b at $(shown a endpoints b)"
[[ $(shown b endpoints a) == 198.51.100.1:51821 ]] || fail "b has a at $(shown b endpoints a)"
pass 400
answers a 192.168.7.2 || fail "a to b after some minutes"

# A router that chooses ports at random is not one whose ports are known.
up_again() {
	for ns in a b; do ip -n $ns link set wg0 down; done
	for router in router1 router2; do
		in_ns $router nft flush ruleset
		nat $router "${1:-}"
		in_ns $router conntrack -F 2>/dev/null
	done
	peer a b endpoint 198.51.100.2:51822
	peer b a endpoint 198.51.100.1:51821
	up a b
}
before=$(shown a latest-handshakes b)
up_again fully-random
pass 20
[[ $(shown a latest-handshakes b) == "$before" ]] || fail "a handshake in spite of random ports"
up_again
eventually 7 answers a 192.168.7.2 || fail "a to b with known ports again"
