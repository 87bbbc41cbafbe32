#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# What a device receives in one go comes out of the tunnel in the order in which it was sent,
# whatever stands for several datagrams on the way.

. "$(dirname "$0")/../lib.sh"

load_module
joined near far
ip -n near link add wg0 type wireguard
ip -n near addr add 10.9.0.1/24 dev wg0
ip -n near link set wg0 up
# The link keeps a queue, which it empties every 60 ms.
in_ns far ethtool -K veth tso off
in_ns near ethtool -K veth gro on
tc -n far qdisc add dev veth root netem slot 60ms 60ms limit 10000
# Datagrams may come within datagrams. (Kernels built for debugging know of none.)
steps=(one_by_one_and_together)
if ! debug_kernel; then
	modprobe fou
	ip -n near fou add port 5555 ipproto 17
	steps+=(datagrams_within_datagrams)
fi
idling python3 -B "$WG_TOP/selftests/datapath/order.py" "${steps[@]}"
