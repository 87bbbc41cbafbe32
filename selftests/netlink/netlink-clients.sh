#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 90
# needs: wireguard-uapi
# Netlink clients that others wrote: the kernel's ynl with its own specification, pyroute2, and the
# crate wireguard-uapi by its own tests.

. "$(dirname "$0")/../lib.sh"

ynl() {
	in_ns a python3 -B "$WG_KERNEL/tree/tools/net/ynl/pyynl/cli.py" \
		--spec "$WG_KERNEL/tree/Documentation/netlink/specs/wireguard.yaml" "$@"
}

load_module
namespace a
ip -n a link add wg0 type wireguard
in_ns a python3 -B "$WG_TOP/selftests/netlink/netlink-clients.py" "$WG_KERNEL/tree/tools/net/ynl"
# And by the command that its documentation shows.
key=$(wg genkey)
ynl --do set-device --json "{\"ifname\": \"wg0\", \"listen-port\": 4711, \"private-key\": \"$(base64 -d <<<"$key" | od -An -tx1 | tr -d ' \n')\"}"
[[ $(in_ns a wg show wg0 listen-port) == 4711 ]] || fail "ynl set another port"
[[ $(in_ns a wg show wg0 private-key) == "$key" ]] || fail "ynl set another key"
ynl --no-schema --dump get-device --json '{"ifname": "wg0"}' --output-json >"$work/ynl.json"
grep -q '"listen-port": 4711' "$work/ynl.json" || fail "ynl shows $(cat "$work/ynl.json")"
refuses ynl --no-schema --dump get-device --json '{"ifname": "wg404"}'
[[ $message == *"No such device"* ]] || fail "ynl about no such device: $message"

for test in set_and_get enodev; do
	in_ns a "${WG_UAPI:?it could not be built}/$test" --test-threads 1 >"$work/uapi.log" || fail "wireguard-uapi: $(cat "$work/uapi.log")"
	grep -qE 'test result: ok. [1-9]' "$work/uapi.log" || fail "wireguard-uapi ran no test: $(cat "$work/uapi.log")"
done
