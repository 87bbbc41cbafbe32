#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# The module loads, makes and removes interfaces, and goes, twice, the second time with an interface
# left.

. "$(dirname "$0")/../lib.sh"

load_module
[[ -d /sys/module/wireguard ]] || fail "loaded, but not in /sys/module"
refuses "$WG_TOP/tools/load.sh"
[[ $message == *"loaded already"* ]] || fail "a second load is refused with: $message"

ip link add wg0 type wireguard
ip -d link show wg0
refuses "$WG_TOP/tools/load.sh"
[[ $message == *wg0* ]] || fail "the message of a refused load does not name wg0: $message"
ip link set wg0 up
ip link set wg0 down
ip link del wg0
unload_module

load_module
ip link add wg0 type wireguard
ip link set wg0 up
unload_module
refuses ip link show wg0
