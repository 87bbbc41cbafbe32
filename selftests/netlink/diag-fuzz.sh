#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 600
# Requests of the family "wireguard-diag" out of its schema, good ones and spoilt ones: none does
# harm, what is refused changes nothing, and the stock family's view stays as it was. count=N says
# how many (default 5000), seed=N which (tools/test-vm.sh).

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer through the tunnel"
before=$(in_ns a wg show wg0 | grep -v -e transfer -e handshake)
in_ns a env PYTHONPATH="$WG_TOP/tools/wgwhy" python3 -B "$WG_TOP/selftests/netlink/diag-fuzz.py" \
	"${WG_COUNT:-5000}" "${WG_SEED:-1}" "${public[b]}" || fail "the program for the requests failed; it says why above"
after=$(in_ns a wg show wg0 | grep -v -e transfer -e handshake)
[[ $before == "$after" ]] || fail "the stock family shows '$after', not '$before'"
answers a 192.168.7.2 || fail "no answer after that"
