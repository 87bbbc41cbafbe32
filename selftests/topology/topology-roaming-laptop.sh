#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# A roaming laptop: from one network to another, while a connection through the tunnel lives on.
#
#	          +-- cafe (NAT) 198.51.100.1 --- Internet --- server 198.51.100.3
#	laptop ---+                                 |          wg0 192.168.7.3
#	wg0       +-- train (NAT) 198.51.100.2 -----+
#	192.168.7.1

. "$(dirname "$0")/../lib/topology.sh"

# echoes TEXT: whether the server sends it back over the connection that is there.
echoes() {
	local line=
	echo "$1" >&"${connection[1]}"
	idling read -rt 10 -u "${connection[0]}" line || true
	[[ $line == "$1" ]]
}

load_module
internet
public cafe 1
public train 2
host server 3
for router in cafe train; do nat $router; done
lan cafe laptop 1
interface laptop 1
peer laptop server allowed-ips 192.168.7.3/32 endpoint 198.51.100.3:51823
peer server laptop allowed-ips 192.168.7.1/32
up laptop server

in_ns server ncat --listen --keep-open --exec /bin/cat 192.168.7.3 7 &
eventually 10 listens server 7 || fail "the server for echoes does not start"
coproc connection { exec ip netns exec laptop ncat 192.168.7.3 7; }
echoes cafe || fail "no echo in the cafe"
is_at server laptop 198.51.100.1:51821 || fail "the server has the laptop at $(shown server endpoints laptop)"

# No network: nothing arrives, nothing is lost for good.
ip -n laptop link del eth0
unanswered server 192.168.7.1 || fail "an answer from nowhere"

# The server sends to where it was, until it hears from it.
lan train laptop 2
unanswered server 192.168.7.1 || fail "the server knows where the laptop is before it spoke"
echoes train || fail "no echo in the train"
is_at server laptop 198.51.100.2:51821 || fail "the server has the laptop at $(shown server endpoints laptop)"
answers server 192.168.7.1 || fail "the server to the laptop in the train"

# And over a cable, with an address of its own and IPv6.
ip -n laptop link del eth0
public laptop 4
echoes cable || fail "no echo at the cable"
is_at server laptop 198.51.100.4:51821 || fail "the server has the laptop at $(shown server endpoints laptop)"
peer laptop server endpoint '[2001:db8::3]:51823'
echoes IPv6 || fail "no echo over IPv6"
is_at server laptop '[2001:db8::4]:51821' || fail "the server has the laptop at $(shown server endpoints laptop)"
