#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 240
# Tracing sees each packet that the driver drops, once, for the reason that its counter
# says, and each that it has handled as consumed.

. "$(dirname "$0")/../lib.sh"

skip_on_c "calls most of what it drops consumed"
grep -qw tracefs /proc/filesystems || skip "this kernel has no tracefs"
load_module
joined near far
ip -n near link add wg0 type wireguard
ip -n near addr add 10.9.0.1/24 dev wg0
ip -n near addr add fd09::1/64 dev wg0
ip -n near link set wg0 up
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
idling python3 -B "$WG_TOP/selftests/packets/drop-reasons.py"
