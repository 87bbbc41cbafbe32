#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# limit: 120
# A SCHED_FIFO hog keeps the workers of CPU 1 from running. Within 3 jiffies a timer sends packets
# deferred to them, processes batches offloaded to them, and schedules polls left to them, even if
# no packet follows.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no way out"

load_module
joined a b
joined a c 1 inner
tunnel a b
peer b a allowed-ips 192.168.7.1/32,fd77::1/128,10.1.0.0/24
in_ns a sysctl -q net.ipv4.ip_forward=1
ip -n b route add 10.1.0.0/24 dev wg0
ip -n c route add 192.168.7.0/24 via 10.1.0.1
answers a 192.168.7.2 -w 5 || fail "a ping"
answers c 192.168.7.2 -w 5 || fail "a ping by way of a"

. "$(dirname "$0")/../lib/hog.sh"
python3 "$WG_TOP/selftests/datapath/starved.py" "${WG_PATIENCE:-1}"
