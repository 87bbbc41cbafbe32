#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 300
# Ten thousand initiations that name ten thousand peers, by a sender that knows only their public
# keys, cost time but no memory; and the second time, less time.

. "$(dirname "$0")/../lib.sh"

load_module
ip link set lo up
ip link add wg0 type wireguard
ip link set wg0 up
idling python3 -B "$WG_TOP/selftests/handshake/forged.py"
