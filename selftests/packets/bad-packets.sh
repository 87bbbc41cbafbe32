#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# Each kind of message that the module must drop is dropped in silence, and exactly its counter
# rises by one.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
ip -n near link add wg0 type wireguard
ip -n near addr add 10.9.0.1/24 dev wg0
ip -n near addr add fd09::1/64 dev wg0
ip -n near link set wg0 up
idling python3 -B "$WG_TOP/selftests/packets/bad-packets.py"

# row M9: the lines in the log, each of which something above has caused.
number='[0-9]+'
peer="peer $number \\((10\\.0\\.0\\.2:$number|\\[fd00::2\\]:$number|\\(einval\\)|198\\.51\\.100\\.1:9)\\)"
source='(10\.0\.0\.2|\[fd00::2\]):[0-9]+'
kernel_log >"$work/log"
while read -r line; do
	grep -qE "wireguard: wg[01]: $line\$" "$work/log" || fail "the log has no line $line"
done <<END
Interface created
Interface destroyed
Peer $number created
Peer $number \\(.*\\) destroyed
Keypair $number created for peer $number
Keypair $number destroyed for peer $number
Sending handshake initiation to $peer
Sending handshake response to $peer
Receiving handshake initiation from $peer
Receiving handshake response from $peer
Sending keepalive packet to $peer
Receiving keepalive packet from $peer
Receiving cookie response from $source
Could not decrypt invalid cookie response
Sending cookie response for denied handshake message for $source
Invalid MAC of handshake, dropping packet from $source
Invalid handshake initiation from $source
Invalid handshake response from $source
Dropping handshake packet from $source
Packet has unallowed src IP \\(10\\.9\\.0\\.3\\) from $peer
Packet has unallowed src IP \\(fd09::3\\) from $peer
Packet is neither ipv4 nor ipv6 from $peer
Packet has incorrect size from $peer
Packet has invalid nonce 10 \\(max 11\\)
Invalid IP packet
No peer has allowed IPs matching 10\\.9\\.0\\.99
No valid endpoint has been configured or discovered for peer $number
No route to 198\\.51\\.100\\.1:9, error -$number
Handshake for $peer did not complete after 5 seconds, retrying \\(try 2\\)
Handshake for $peer did not complete after 5 seconds, retrying \\(try 20\\)
Handshake for $peer did not complete after 20 attempts, giving up
Zeroing out all keys for $peer, since we haven't received a new one in 540 seconds
END
# Numbers are given once, in order.
for thing in Peer Keypair; do
	grep -oE "$thing $number created" "$work/log" | awk '$2 <= last { exit 1 } { last = $2 }' ||
		fail "numbers of ${thing}s are not given in order"
done
