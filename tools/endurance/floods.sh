#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the guest: sets up what floods.py needs.
# usage: floods.sh SEED WORDS…   (those of floods.py)

. "$WG_TOP/selftests/lib.sh"

mark_log floods
load_module
if [[ $2 == replay ]]; then
	joined near far
	ip -n near link add wg0 type wireguard
	ip -n near addr add 10.9.0.1/24 dev wg0
	ip -n near link set wg0 up
else
	joined near other
	joined near flood 1 veth1
	tunnel near other
	in_ns near wg set wg0 listen-port 51820
	peer other near endpoint 10.0.0.1:51820
	answers near 192.168.7.2 || fail "the first ping"
fi
idling python3 -B "$WG_TOP/tools/endurance/py/floods.py" "$@"
check_clean_log
