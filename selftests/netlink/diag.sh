#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 240
# The family "wireguard-diag": the kernel's own ynl and a client made from the schema read an
# interface and its peers, are refused what is wrong, and get events; nothing secret is in any
# answer.

. "$(dirname "$0")/../lib.sh"

# ynl NS ARGUMENTS…: the kernel's command.
ynl() {
	local ns=$1
	shift
	in_ns "$ns" python3 -B "$WG_KERNEL/tree/tools/net/ynl/pyynl/cli.py" --spec "$work/specs/wireguard-diag.yaml" "$@"
}

load_module
mkdir "$work/specs"
cp "$WG_TOP/docs/netlink/wireguard-diag.yaml" "$work/specs"
# ynl looks for the schema of schemas in the folder above.
cp "$WG_KERNEL/tree/Documentation/netlink/genetlink.yaml" "$work"
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer through the tunnel"

ynl a --do get --json '{"ifname": "wg0"}' --output-json >"$work/interface.json" || fail "ynl gets no interface"
ynl a --dump get --json '{"ifname": "wg0"}' --output-json >"$work/dump.json" || fail "ynl gets no dump"
python3 - "$work" "$(base64 -d <<<"${public[a]}" | od -An -tx1 | tr -d ' \n')" <<'END'
import json, pathlib, sys
work, key = pathlib.Path(sys.argv[1]), sys.argv[2]
interface = json.loads((work / "interface.json").read_text())["interface"]
assert interface["up"] and interface["listen-port"] == 51821 and interface["peers"] == 1, interface
assert interface["public-key"].replace(" ", "") == key, interface
first, second = json.loads((work / "dump.json").read_text())
assert first["interface"]["peers"] == 1, first
peer = second["peer"]
assert peer["state"] == "session" and peer["session-role"] == "initiator", peer
assert peer["handshakes-begun"] == 1 and peer["handshakes-completed"] == 1, peer
assert peer["endpoint"] == {"address": "10.0.0.2", "port": 51822}, peer
assert 0 < peer["round-trip"] < 10_000_000, peer
assert peer["tx-packets"] >= 2 and peer["rx-packets"] >= 2, peer
END
ynl a --do set --json "{\"ifname\": \"wg0\", \"unprivileged-read\": 1}" || fail "ynl sets nothing"
refuses ynl a --do get --json '{"ifname": "wg404"}'
[[ $message == *"there is no such interface in this network namespace"*"No such device"* ]] || fail "no such device: $message"

# What was made of the schema is what it says now, and its reasons are the driver's.
python3 -B "$WG_TOP/tools/build/py/netlink.py" --check || fail "tools/build/netlink.sh makes the client anew"
PYTHONPATH=$WG_TOP/tools/wgwhy python3 -B -c 'import schema; print(*schema.ENUMS["reason"], sep="\n")' >"$work/reasons"
awk '{ print $1 }' /sys/kernel/debug/wireguard/wg0/drops | diff - "$work/reasons" || fail "the driver has other reasons than the schema"

in_ns a env PYTHONPATH="$WG_TOP/tools/wgwhy" python3 -B "$WG_TOP/selftests/netlink/diag.py" \
	"${public[b]}" "${private[a]}" "${private[b]}" || fail "the program for the requests failed; it says why above"
