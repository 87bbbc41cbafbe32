#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 180
# An interface that is asked to tells of handshakes that keys of no peer begin, and answers them if
# the peer is added at once; it believes no forged ones, and keeps neither many nor old ones.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
ip -n near link add wg0 type wireguard
ip -n near link set wg0 up
# Many senders, each with an address of its own.
ip -n far route add local 10.1.0.0/24 dev lo
ip -n near route add 10.1.0.0/24 via 10.0.0.2
PYTHONPATH=$PYTHONPATH:$WG_TOP/tools/wgwhy python3 -B "$WG_TOP/selftests/netlink/unknown-peers.py"
