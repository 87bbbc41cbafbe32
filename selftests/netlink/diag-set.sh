#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 180
# What the family "wireguard-diag" sets for a peer shows in traffic: its endpoint stays where it is
# pinned, marks and priorities are on inner packets and on outer datagrams, and a session says which
# preshared key it was made with.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/client.sh"

# packets NS COUNTER: what a counter of nftables has counted.
packets() {
	in_ns "$1" nft -j list counter inet seen "$2" | python3 -c '
import json, sys
counter, = (entry["counter"] for entry in json.load(sys.stdin)["nftables"] if "counter" in entry)
print(counter["packets"])'
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer through the tunnel"

# --- name
diag a b 'give(name="the other side"); assert peer()["name"] == "the other side", peer()'
diag a b 'give(name=""); assert "name" not in peer(), peer()'

# --- marks and priorities
in_ns a nft -f - <<-'RULES'
	table inet seen {
		counter inside { }
		counter outside { }
		counter other { }
		chain input {
			type filter hook input priority 0;
			iifname wg0 meta mark 0x77 meta priority 1:2 counter name inside
		}
		chain output {
			type filter hook output priority 0;
			udp dport 51822 meta mark 0x88 meta priority 3:4 counter name outside
			udp dport 51822 meta mark != 0x88 counter name other
		}
	}
RULES
answers a 192.168.7.2 || fail "no answer with rules"
[[ $(packets a inside) == 0 && $(packets a outside) == 0 ]] || fail "packets have marks that were not set"
(($(packets a other))) || fail "the rules see nothing"
diag a b 'give(in_mark=0x77, in_priority=0x10002, out_mark=0x88, out_priority=0x30004)'
# A keepalive may have left before the marks were set.
other=$(packets a other)
answers a 192.168.7.2 || fail "no answer with marks"
(($(packets a inside) == 1)) || fail "the inner packet has no mark or priority"
(($(packets a outside) >= 1)) || fail "the outer datagram has no mark or priority"
[[ $(packets a other) == "$other" ]] || fail "a datagram without the mark has left"
# The mark finds the route, instead of the interface's.
in_ns a wg set wg0 fwmark 0x99
in_ns a ip rule add fwmark 0x88 unreachable
unanswered a 192.168.7.2 || fail "the peer's mark does not choose the route"
diag a b 'give(out_mark=0)'
answers a 192.168.7.2 || fail "without a mark of its own the peer has not the interface's"
in_ns a ip rule del fwmark 0x88 unreachable
in_ns a wg set wg0 fwmark 0
diag a b 'give(in_mark=0, in_priority=0, out_priority=0)'

# --- pinned endpoints
port() {
	in_ns a wg set wg0 listen-port "$1"
	answers a 192.168.7.2 -c 2 -i 0.2 || true
}
port 6001
located b a 10.0.0.1:6001 "free to move"
diag b a 'give(pin="with-handshakes")'
port 6002
located b a 10.0.0.1:6001 "pinned against data"
# A new handshake moves it.
in_ns a ip link set wg0 down
in_ns a ip link set wg0 up
answers a 192.168.7.2 || fail "no answer after a handshake that may move"
located b a 10.0.0.1:6002 "a handshake moves it"
diag b a 'give(pin="fixed")'
in_ns a wg set wg0 listen-port 6003
in_ns a ip link set wg0 down
in_ns a ip link set wg0 up
unanswered a 192.168.7.2 || fail "a peer with a fixed endpoint is answered elsewhere"
located b a 10.0.0.1:6002 "fixed"
peer b a endpoint 10.0.0.1:6003
located b a 10.0.0.1:6003 "the configuration moves it"
eventually 10 answers a 192.168.7.2 || fail "no answer at the endpoint that was configured"
diag b a 'give(pin="moves")
assert peer()["endpoint-source"] == "configuration", peer()'
port 6004
located b a 10.0.0.1:6004 "free again"
diag b a 'assert peer()["endpoint-source"] == "data", peer()'

# --- generations of preshared keys
diag a b 'assert peer()["session-psk-generation"] == 0 == peer()["psk-generation"], peer()'
wg genpsk >"$work/psk"
for ns in a b; do
	[[ $ns == a ]] && far=b || far=a
	peer "$ns" "$far" preshared-key "$work/psk"
	diag "$ns" "$far" 'give(psk_generation=7); assert peer()["psk-generation"] == 7, peer()'
done
diag a b 'assert peer()["session-psk-generation"] == 0, peer()'
answers a 192.168.7.2 || fail "no answer under the old session"
in_ns a ip link set wg0 down
in_ns a ip link set wg0 up
answers a 192.168.7.2 || fail "no answer with a preshared key"
diag a b 'assert peer()["session-psk-generation"] == 7, peer()'
diag b a 'assert peer()["session-psk-generation"] == 7, peer()'
# Another key on one side: no session comes about, so none says that it uses that.
wg genpsk >"$work/psk"
peer a b preshared-key "$work/psk"
diag a b 'assert peer()["psk-generation"] == 8, peer()'
in_ns a ip link set wg0 down
in_ns a ip link set wg0 up
unanswered a 192.168.7.2 || fail "an answer with two preshared keys"
diag a b 'assert "session-psk-generation" not in peer() and peer()["refusal"][0]["reason"] == "rx-response-bad", peer()'

# --- marks of datagrams: only with privilege where the sockets are
ip -n a link add wg1 type wireguard
in_ns a wg set wg1 peer "${public[b]}"
ip netns exec a unshare --user --map-root-user --net sleep infinity &
child=$!
is_inside() { grep -qw 0 /proc/$child/uid_map && [[ $(readlink /proc/$child/exe) == */sleep ]]; }
eventually 10 is_inside || fail "no process in a user namespace"
ip -n a link set wg1 netns $child
ip -n a link show wg1 >/dev/null 2>&1 && fail "wg1 has not moved"
nsenter --target $child --user --net env PYTHONPATH="$WG_TOP/tools/wgwhy" python3 -B -c '
import base64, errno, netlink, sys
client, key = netlink.Client(), base64.b64decode(sys.argv[1])
client.set(ifname="wg1", peer={"public-key": key, "in-mark": 5, "name": "inside"})
for name in "out-mark", "out-priority":
    try:
        client.set(ifname="wg1", peer={"public-key": key, "name": "half", name: 5})
        sys.exit(f"{name} is set without privilege")
    except netlink.Refused as error:
        assert error.errno == errno.EPERM and "where the sockets are" in error.strerror, error
peer = client.get(ifname="wg1", public_key=key)["peer"]
assert peer["name"] == "inside" and peer["in-mark"] == 5 and peer["out-mark"] == 0, peer' "${public[b]}" ||
	fail "the owner of an interface sets what belongs to another namespace"
kill $child
