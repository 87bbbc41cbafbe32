#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# What a successful SET does: the order of its effects, its flags, keys, endpoints, allowed IPs,
# ports and keepalives.

. "$(dirname "$0")/../lib.sh"

load_module
python3 -B "$WG_TOP/selftests/netlink/netlink-set.py"
