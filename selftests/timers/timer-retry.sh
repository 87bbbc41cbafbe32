#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# An initiation without an answer is sent twenty times, each 5 s and a jitter of up to 1/3 s after
# the last (timers of that length are late by up to 0.26 s besides), and then what waits is given
# up; the next packet begins anew.

. "$(dirname "$0")/../lib.sh"

# gaps FILE: the seconds between its lines.
gaps() {
	awk 'NR > 1 { printf "%.3f\n", $1 - last } { last = $1 }' "$1"
}

load_module
joined a b
interface a 1
public[b]=$(wg genkey | wg pubkey)
# Frames for 10.0.0.99 reach b's veth, but b is not that host and stays silent.
mac=$(in_ns b cat /sys/class/net/veth/address)
ip -n a neigh add 10.0.0.99 lladdr "$mac" dev veth
peer a b endpoint 10.0.0.99:1000 allowed-ips 192.168.7.2/32
ip -n a link set wg0 up

capture b veth "$work/sent" udp and dst host 10.0.0.99
datagram a 192.168.7.2
pass 130
# rows T1 K6
[[ $(lines "$work/sent") == 20 ]] || fail "$(lines "$work/sent") initiations, not 20: $(cat "$work/sent")"
[[ $(grep -c 'length 148' "$work/sent") == 20 ]] || fail "not only initiations: $(cat "$work/sent")"
gaps "$work/sent" >"$work/gaps"
# rows K4 K5 H4
awk '$1 < 4.99 || $1 > 5.65 { exit 1 }' "$work/gaps" || fail "gaps between initiations: $(tr '\n' ' ' <"$work/gaps")"
# Jitter that deserves the name: some tens of milliseconds at least between the shortest and the
# longest of eighteen. The first one begins between two ticks of such timers, which is no jitter.
tail -n +2 "$work/gaps" | sort -n | awk 'NR == 1 { min = $1 } END { exit !($1 - min > 0.05) }' ||
	fail "no jitter: $(tr '\n' ' ' <"$work/gaps")"
# row E8
[[ $(statistic a tx_dropped) == 1 ]] || fail "$(statistic a tx_dropped) packets were given up, not 1"
counted a b 0 $((20 * 148)) || fail "a counted $(shown a transfer b)"

# Anew; a packet that comes meanwhile, when about 12 were sent, speeds nothing up, but starts the
# count over.
datagram a 192.168.7.2
pass 60
datagram a 192.168.7.2
pass 160
begun=$(lines "$work/sent")
((begun >= 20 + 11 + 19 && begun <= 20 + 13 + 20)) || fail "$begun initiations in all after two packets more"
gaps <(tail -n +21 "$work/sent") | awk '$1 < 4.99 || $1 > 5.65 { exit 1 }' || fail "gaps: $(gaps "$work/sent" | tr '\n' ' ')"
[[ $(statistic a tx_dropped) == 3 ]] || fail "$(statistic a tx_dropped) packets were given up, not 3"

# Cut short: after "down" there is nothing more.
datagram a 192.168.7.2
pass 12
[[ $(lines "$work/sent") == $((begun + 3)) ]] || fail "$(lines "$work/sent") initiations, not $begun and 3"
ip -n a link set wg0 down
# rows U9 E8
[[ $(statistic a tx_dropped) == 4 ]] || fail "$(statistic a tx_dropped) packets dropped after down, not 4"
pass 20
# row T7
[[ $(lines "$work/sent") == $((begun + 3)) ]] || fail "an initiation after down"

# 128 packets wait while another one comes: older ones make room.
ip -n a link set wg0 up
# shellcheck disable=SC2016 # the inner shell expands it
in_ns a bash -c 'exec 3>/dev/udp/192.168.7.2/9; for i in {1..150}; do echo >&3; done'
# rows K12 E8
[[ $(statistic a tx_dropped) == 25 ]] || fail "$(statistic a tx_dropped) packets dropped after 150 in a row, not 25"
captured "$work/sent"
