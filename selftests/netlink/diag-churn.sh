#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 300
# Ten thousand peers come, change and go while programs listen: each event is received, counted as
# left out, or missing by its number, and listeners that do not read delay nobody. An idle peer
# without allowed IPs takes at most 2.3 KiB.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no such family"

load_module
joined near far
export PYTHONPATH=$PYTHONPATH:$WG_TOP/tools/wgwhy
steps=(
	peers_and_prefixes_are_added nothing_is_lost_in_silence sessions_are_told_meanwhile
	deaf_listeners_delay_nobody
)
if debug_kernel; then
	left_out idle_peers_are_small "this kernel puts more around each object than is in it"
else
	steps+=(idle_peers_are_small)
fi
in_ns near python3 -B "$WG_TOP/selftests/netlink/diag-churn.py" "${steps[@]}" || fail "the program for the listeners failed; it says why above"
