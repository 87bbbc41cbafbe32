#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# An interface that is flooded asks for cookies; another one beside it does not, which it does with
# the C module, where all interfaces are under load together.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
for number in 0 1; do
	ip -n near link add wg$number type wireguard
	ip -n near link set wg$number up
done
idling python3 -B "$WG_TOP/selftests/handshake/under-load.py"
