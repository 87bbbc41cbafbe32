#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 600
# boot: own
# The kernel's own selftest of WireGuard, netns.sh, unmodified and out of the kernel's source, with debug messages on
# and a log that holds them all, as its search for leaked objects finds nothing otherwise. That search reads the
# kernel's log from its very beginning, hence a machine of its own.

. "$(dirname "$0")/../lib.sh"

load_module
# It puts its files beside itself and its output is coloured.
cp "$WG_KERNEL/tree/tools/testing/selftests/wireguard/netns.sh" "$work/netns.sh"
NPROC=$(nproc) bash "$work/netns.sh"
(($(created Peer) + $(created Keypair) + $(created Interface) > 100)) ||
	fail "its log has merely $(objects | wc -l) objects: the search for leaks has seen nothing"
check_balance all
