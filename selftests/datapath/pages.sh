#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# Datagrams that lie in memory of others are decrypted without a change to it: pages of a file, of a
# program, of a capture.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
ip -n near link add wg0 mtu 65000 type wireguard
ip -n near addr add 10.9.0.1/24 dev wg0
ip -n near link set wg0 up
idling python3 -B "$WG_TOP/selftests/datapath/pages.py"
