#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 60
# A file in debugfs that is read in parts shows one moment, though its numbers grow meanwhile.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has nothing in debugfs"
load_module
ip link set lo up
ip link add wg0 type wireguard
wg set wg0 listen-port 5000 private-key <(wg genkey)
ip link set wg0 up
python3 "$WG_TOP/selftests/module/debugfs.py" /sys/kernel/debug/wireguard/wg0/drops 5000
