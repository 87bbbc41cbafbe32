#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# After a burst on an idle CPU, its reader runs before the whole burst is decrypted.

. "$(dirname "$0")/../lib.sh"

skip_on_c "decrypts and delivers by threads, which the scheduler weighs"

load_module
joined left right
tunnel left right
# Sixty packets go on at once every 20 ms; without offloads, one packet after the other.
in_ns left ethtool -K veth tso off gso off tx-udp-segmentation off
tc -n left qdisc add dev veth root netem limit 1000 slot 20ms packets 60
answers left 192.168.7.2 || fail "no answer"
WG_NEVER_IDLE=$never_idle python3 "$(dirname "$0")/turns.py"
