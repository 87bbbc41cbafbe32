# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # from lib.sh
# A client of the family "wireguard-diag".

# diag NS PEER COMMANDS: lines of Python about the peer of wg0 there.
diag() {
	in_ns "$1" env PYTHONPATH="$WG_TOP/tools/wgwhy" python3 -B -c '
import base64, netlink, sys
client, key = netlink.Client(), base64.b64decode(sys.argv[1])
def give(**values): client.set(ifname="wg0", peer={"public-key": key, **{n.replace("_", "-"): v for n, v in values.items()}})
peer = lambda: client.get(ifname="wg0", public_key=key)["peer"]
trouble = lambda: any("peer" in entry for entry in client.dump(ifname="wg0", only_trouble=True))
exec(sys.argv[2])' "${public[$2]}" "$3"
}
