#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 600
# A host of 1 GB forwards to a thousand peers on CPU 1, where a hog of the highest class keeps every
# worker from running. What was left to the workers takes no more memory than the interface's
# budget, and a timer sends it.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no way out"

load_module
joined a b
joined a c 1 inner
interface a 1
ip -n a link set wg0 up
in_ns a sysctl -q net.ipv4.ip_forward=1
in_ns b sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip -n a route add 10.8.0.0/16 dev wg0
ip -n c route add 10.8.0.0/16 via 10.1.0.1

. "$(dirname "$0")/../lib/hog.sh"
python3 "$WG_TOP/selftests/datapath/starved-peers.py" "${WG_PATIENCE:-1}"
