#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# Each kind of message that the module must refuse is refused in silence, and exactly its counter rises by one.

. "$(dirname "$0")/lib.sh"

load_module
joined near far
ip -n near link add wg0 type wireguard
ip -n near addr add 10.9.0.1/24 dev wg0
ip -n near addr add fd09::1/64 dev wg0
ip -n near link set wg0 up
idling python3 -B "$WG_TOP/selftests/bad-packets.py"
