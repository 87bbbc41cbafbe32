#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy names the cause of each trouble that is made here, and only that one; of a tunnel that works it says nothing.
# Each row has its trouble made in two fresh namespaces.

. "$(dirname "$0")/../lib.sh"

rows=0 faults=0

# fault TEXT: notes a failure and goes on with the next row.
fault() {
	faults=$((faults + 1))
	echo "FAULT: row $row: $*"
}

# wgwhy NS ARGUMENTS…
wgwhy() {
	local ns=$1
	shift
	in_ns "$ns" python3 -B "$WG_TOP/tools/wgwhy" "$@"
}

# causes NS: the causes that it names, one a line.
causes() {
	wgwhy "$1" --json wg0 >"$work/troubles" || (($? == 1))
	python3 -c 'import json, sys; print(*sorted({t["cause"] for t in json.load(open(sys.argv[1]))}), sep="\n")' "$work/troubles"
}

names() {
	[[ $(causes "$1") == "$2" ]]
}

# tells NS CAUSE: soon it names this cause, and no other.
tells() {
	eventually 20 names "$1" "$2" || fault "in $1 it names '$(causes "$1" | paste -sd ' ')', not '$2': $(cat "$work/troubles")"
	if wgwhy "$1" wg0 >"$work/text"; then fault "it finds no trouble the second time"; fi
	sed "s/^/    /" "$work/text"
}

# gone: ends the processes in the namespaces and deletes these.
gone() {
	local ns
	for ns in a b c; do
		ip netns pids $ns 2>/dev/null | xargs -r kill 2>/dev/null || true
		ip netns del $ns 2>/dev/null || true
	done
}

# fresh: two namespaces with a tunnel that is not used yet.
fresh() {
	gone
	joined a b
	tunnel a b
}

# used: the same, and the tunnel works.
used() {
	fresh
	answers a 192.168.7.2 || fault "no answer through the tunnel"
}

# tries NS [ADDRESS]: sends something, whatever becomes of it.
tries() {
	unanswered "$1" "${2:-192.168.7.2}" || true
}

# keeps_trying NS [OPTIONS OF PING]
keeps_trying() {
	in_ns "$1" ping -q -i 0.2 "${@:2}" >/dev/null 2>&1 &
}

row() {
	row=$1
	rows=$((rows + 1))
	echo "row $row"
}

nft_in() {
	in_ns "$1" nft -f - <<-RULES
		table inet t {
			chain c {
				type filter hook $2 priority 0;
				$3
			}
		}
	RULES
}

load_module

row healthy
used
for ns in a b; do
	text=$(wgwhy $ns) || fault "a tunnel that works has trouble in $ns: $text"
	[[ $text == "No trouble with wg0." ]] || fault "of a tunnel that works it says: $text"
	[[ $(wgwhy $ns --json) == "[]" ]] || fault "of a tunnel that works it tells programs: $(wgwhy $ns --json)"
done
wgwhy a --prometheus >"$work/figures"
grep -q "^wireguard_handshakes_completed_total{interface=\"wg0\",public_key=\"${public[b]}\",friendly_name=\"\"} 1$" "$work/figures" ||
	fail "figures: $(cat "$work/figures")"
for secret in "${private[a]}" "${private[b]}"; do
	wgwhy a --prometheus | grep -F "$secret" && fault "a private key among the figures"
done

row interface-down
fresh
ip -n a link set wg0 down
tells a interface-down

row port-taken
fresh
ip -n a link set wg0 down
in_ns a socat -u UDP-RECV:51821 /dev/null &
eventually 5 listens a 51821 -u || fault "socat does not listen"
tells a port-taken

row no-private-key
fresh
in_ns a wg set wg0 private-key /dev/null
tells a no-private-key

row no-peers
fresh
in_ns a wg set wg0 peer "${public[b]}" remove
tells a no-peers

row no-address
used
ip -n a addr flush dev wg0
tells a no-address

row no-peer-for-destination
used
tries a 192.168.7.99
tells a no-peer-for-destination
grep -q 192.168.7.99 "$work/text" || fault "it does not say what had no peer: $(cat "$work/text")"

row unknown-initiator
fresh
in_ns a wg set wg0 peer "${public[b]}" remove peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.7.50
tries b 192.168.7.1
tells a unknown-initiator
grep -qF "${public[b]}" "$work/text" || fault "it does not name the key: $(cat "$work/text")"

row our-key-unknown
fresh
in_ns b wg set wg0 peer "${public[a]}" remove peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.7.1 endpoint 10.0.0.1:51821
tries b 192.168.7.1
tells a our-key-unknown
row unanswered
tells b unanswered

row unanswered-block
fresh
nft_in b input "udp dport 51822 drop"
tries a
tells a unanswered

row no-endpoint
fresh
in_ns a wg set wg0 peer "${public[b]}" remove peer "${public[b]}" allowed-ips 192.168.7.2
tries a
tells a no-endpoint

row endpoint-in-tunnel
fresh
peer a b endpoint 192.168.7.2:51822
tries a
tells a endpoint-in-tunnel

row no-route-outside
fresh
peer a b endpoint 203.0.113.9:51822
tries a
tells a no-route-outside

row preshared-key
fresh
wg genpsk >"$work/psk"
peer a b preshared-key "$work/psk"
tries a
tells a preshared-key
row answer-lost
tells b answer-lost

row clock
fresh
withhold a b "$work/initiation" "dst port 51821 and $initiation" tries b 192.168.7.1
let_through a
eventually 10 answers b 192.168.7.1 || fault "no answer after the withheld initiation"
resend b "$work/initiation" 10.0.0.1 51821 4242
tells a clock

row our-clock
used
# Until a's keepalive comes, b waits for an answer, and would begin a handshake itself after 15 s.
before=$(received b a)
heard_more() { (($(received b a) > before)); }
eventually 15 heard_more || fault "no keepalive of a"
now=$(date +%s)
# The timestamps of a peer never fall; those of one that is configured anew begin with the clock.
peer a b remove
date -s 2001-01-01 >/dev/null
peer a b endpoint 10.0.0.2:51822 allowed-ips 192.168.7.2/32
tries a
tells b clock
tells a our-clock
date -s "@$now" >/dev/null

row two-hosts-one-key
used
namespace c
joined a c 2 veth2
in_ns c ip link add wg0 type wireguard
wg_in c set wg0 private-key /dev/stdin listen-port 51822 <<<"${private[b]}"
ip -n c addr add 192.168.7.2/24 dev wg0
wg_in c set wg0 peer "${public[a]}" allowed-ips 192.168.7.1/32 endpoint 10.2.0.1:51821
ip -n c link set wg0 up
for ns in c b c b; do
	in_ns $ns ip link set wg0 down
	in_ns $ns ip link set wg0 up
	eventually 10 answers $ns 192.168.7.1 || fault "no answer to $ns"
done
tells a two-hosts-one-key

row firewall
fresh
nft_in a output "udp dport 51822 counter drop"
tries a
tells a firewall

row source-not-allowed
used
ip -n b addr add 192.168.9.9/32 dev wg0
in_ns b ping -q -c 1 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
tells a source-not-allowed
grep -q 192.168.9.9 "$work/text" || fault "it does not say which source: $(cat "$work/text")"

row overlapping-allowed-ips
in_ns a wg set wg0 peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.9.9/32
ip -n a route add 192.168.9.9 dev wg0
in_ns b ping -q -c 1 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
tells a overlapping-allowed-ips

row corrupted
used
nft_in b output "udp dport 51821 @th,64,8 0x04 @th,320,32 set 0x12345678"
tries b 192.168.7.1
tells a corrupted

row duplicated
used
in_ns b tc qdisc add dev veth root netem duplicate 100%
in_ns b ping -q -c 5 -i 0.2 192.168.7.1 >/dev/null || true
tells a duplicated

row mtu
used
ip -n a link set veth mtu 1400
tells a mtu

row no-allowed-ips
fresh
peer a b allowed-ips ""
tells a no-allowed-ips

row no-route-inside
fresh
peer a b allowed-ips 10.44.0.0/16
tells a no-route-inside

row reverse-path
used
peer a b allowed-ips 10.55.0.0/16,192.168.7.2/32
ip -n a route add 10.55.0.0/16 dev veth
ip -n b addr add 10.55.0.1/32 dev wg0
in_ns a sysctl -q net.ipv4.conf.wg0.rp_filter=1
in_ns b ping -q -c 1 -W 0.3 -I 10.55.0.1 192.168.7.1 >/dev/null || true
tells a reverse-path

row forwarding
used
peer b a allowed-ips 192.168.7.1/32,10.66.0.0/16
ip -n b route add 10.66.0.0/16 dev wg0
keeps_trying b 10.66.0.1
tells a forwarding

row silent
used
nft_in b input "udp dport 51822 drop"
keeps_trying a 192.168.7.2
tells a silent

row lost-session
used
ip -n a link set wg0 down
ip -n a link set wg0 up
keeps_trying b 192.168.7.1
tells a lost-session

row not-wireguard
used
# shellcheck disable=SC2016 # the inner shell expands it
in_ns b bash -c 'echo hello >/dev/udp/10.0.0.1/51821'
tells a not-wireguard

row watch
fresh
wgwhy a --watch >"$work/watch" &
eventually 20 grep -q listening "$work/watch" || fault "it does not listen"
answers a 192.168.7.2 || fault "no answer"
peer a b persistent-keepalive 25
eventually 5 grep -q "there is a session" "$work/watch" || fault "it tells no session: $(cat "$work/watch")"
eventually 5 grep -q "its configuration was changed" "$work/watch" || fault "it tells no change: $(cat "$work/watch")"

row no-such-interface
status=0
wgwhy a wg404 2>"$work/text" || status=$?
{ [[ $status == 2 ]] && grep -q "no such interface" "$work/text"; } ||
	fault "of no such interface it says, with status $status: $(cat "$work/text")"

if [[ -e $(modinfo -n wireguard 2>/dev/null) ]]; then
	row c-module
	gone
	eventually 10 unload_module || fault "the module stays"
	modprobe wireguard
	joined a b
	tunnel a b
	wgwhy a >"$work/text" || true
	grep -q "the kernel's own C module" "$work/text" || fault "of the C module it says: $(cat "$work/text")"
	gone
fi
echo "$rows rows"
((faults == 0)) || fail "$faults faults, see above"
