#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 180
# What the network outside sees of a tunnel, what comes back from it, and that queues keep their
# order.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
# Addresses outlive "down".
for ns in a b; do in_ns $ns sysctl -qw net.ipv6.conf.default.keep_addr_on_down=1 net.ipv6.conf.all.keep_addr_on_down=1; done
tunnel a b
answers a 192.168.7.2 -w 5 || fail "the first ping"
python3 -B "$WG_TOP/selftests/packets/outside.py"
