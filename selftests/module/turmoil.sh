#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: debug
# limit: 600
# Four processes change everything that can be changed, under traffic, for as long as
# tools/test/debug.sh wants. In the end all is as the sum of the changes says, a tunnel works, and
# nothing is left.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 -w 10 || fail "a ping"
ip -n a route add 10.96.0.0/11 dev wg0
KEYS="${private[a]} ${public[a]} ${private[b]} ${public[b]}" python3 -B "$WG_TOP/selftests/module/turmoil.py"
for ns in a b; do ip -n "$ns" link del wg0; done
# Interfaces die a little after the namespaces that they were in.
gone() { (check_balance all) >/dev/null 2>&1; }
eventually 20 gone || check_balance all
