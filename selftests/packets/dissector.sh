#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# tshark's dissector reads all that the module sends, finds nothing to complain about, and decrypts
# it with the keys of the other side.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
interface near 1
keys far
psk=$(wg genpsk)
peer near far endpoint 10.0.0.2:40000 preshared-key /dev/stdin allowed-ips 192.168.7.2/32 <<<"$psk"
ip -n near link set wg0 up

# The flood that puts the module under load comes from another port and stays out.
capture far veth "$work/all.pcap" -w - 'udp port 40000'
idling ip netns exec far python3 -B "$WG_TOP/selftests/packets/dissector.py" talk "${private[far]}" "${public[near]}" "$psk" "$work/keys"
captured "$work/all.pcap"
tshark -r "$work/all.pcap" -o "wg.keylog_file:$work/keys" -T fields -E occurrence=a -E aggregator=, \
	-e udp.srcport -e wg.type -e wg.timestamp.nanoseconds -e wg.handshake_ok -e wg.receiver_pubkey \
	-e wg.mac2 -e icmp.type -e _ws.expert.severity -e _ws.expert.message -e _ws.malformed >"$work/fields" 2>"$work/tshark.err" ||
	fail "tshark: $(cat "$work/tshark.err")"
cat "$work/fields"
python3 -B "$WG_TOP/selftests/packets/dissector.py" judge "${public[near]}" "${public[far]}" "$work/fields"
