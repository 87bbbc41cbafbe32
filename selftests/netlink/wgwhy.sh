#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy names the cause of each trouble that is made here, and only that one; of a tunnel that works
# it says nothing.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

if row healthy; then
	fresh
	fine a
	used
	for ns in a b; do
		fine $ns
		[[ $(wgwhy $ns --json) == "[]" ]] || fault "of a tunnel that works it tells programs: $(wgwhy $ns --json)"
	done
	wgwhy a --prometheus >"$work/figures"
	grep -q "^wireguard_handshakes_completed_total{interface=\"wg0\",public_key=\"${public[b]}\",friendly_name=\"\"} 1$" "$work/figures" ||
		fail "figures: $(cat "$work/figures")"
	for secret in "${private[a]}" "${private[b]}"; do
		wgwhy a --prometheus | grep -F "$secret" && fault "a private key among the figures"
	done
fi

if row one-way; then
	used
	in_ns b socat -u UDP-RECV:514 /dev/null &
	eventually 5 listens b 514 -u || fault "socat does not listen"
	in_ns a bash -c 'while echo line >/dev/udp/192.168.7.2/514; do sleep 0.2; done' &
	fine a
	fine b
fi

if row same-network; then
	fresh
	peer a b allowed-ips 192.168.7.0/24
	peer b a allowed-ips 192.168.7.0/24
	for ns in a b; do in_ns $ns sysctl -q net.ipv4.conf.wg0.rp_filter=1; done
	answers a 192.168.7.2 || fault "no answer"
	fine a
	fine b
fi

if row default-prefixes; then
	fresh
	peer a b allowed-ips 0.0.0.0/0,::/0
	in_ns a sysctl -q net.ipv4.conf.wg0.rp_filter=1
	answers a 192.168.7.2 || fault "no answer"
	fine a
fi

if row unnumbered; then
	used
	ip -n a addr flush dev wg0
	ip -n a route add 192.168.7.2 dev wg0
	ip -n a route add fd77::2 dev wg0
	fine a
fi

if row container; then
	fresh
	namespace c
	ip -n a link set wg0 netns c
	ip -n c addr add 192.168.7.1/24 dev wg0
	ip -n c addr add fd77::1/64 dev wg0 nodad
	ip -n c link set wg0 up
	answers c 192.168.7.2 || fault "no answer"
	fine c
	in_ns b ip link set veth down
	tries c
	tells c unanswered
	also sockets-gone
	ip netns del a
	tells c sockets-gone
fi

if row interface-down; then
	fresh
	ip -n a link set wg0 down
	tells a interface-down
fi

if row port-taken; then
	fresh
	ip -n a link set wg0 down
	in_ns a socat -u UDP-RECV:51821 /dev/null &
	eventually 5 listens a 51821 -u || fault "socat does not listen"
	tells a port-taken
fi

if row no-private-key; then
	fresh
	in_ns a wg set wg0 private-key /dev/null
	tells a no-private-key
fi

if row no-peers; then
	fresh
	in_ns a wg set wg0 peer "${public[b]}" remove
	tells a no-peers
fi

if row no-address; then
	used
	ip -n a addr flush dev wg0
	tells a no-address
fi

if row no-peer-for-destination; then
	used
	tries a 192.168.7.99
	tells a no-peer-for-destination
	grep -q 192.168.7.99 "$work/text" || fault "it does not say what had no peer: $(cat "$work/text")"
fi

if row unknown-initiator; then
	fresh
	in_ns a wg set wg0 peer "${public[b]}" remove peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.7.50
	tries b 192.168.7.1
	tells a unknown-initiator
	grep -qF "${public[b]}" "$work/text" || fault "it does not name the key: $(cat "$work/text")"
fi

if row our-key-unknown; then
	fresh
	in_ns b wg set wg0 peer "${public[a]}" remove peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.7.1 endpoint 10.0.0.1:51821
	tries b 192.168.7.1
	tells a our-key-unknown
	also unanswered
	tells b unanswered
	grep -qF "ours ${public[b]}" "$work/text" || fault "it does not say our key: $(cat "$work/text")"
fi

if row unanswered-block; then
	fresh
	nft_in b input "udp dport 51822 drop"
	tries a
	tells a unanswered
fi

if row unanswered-traffic; then
	used
	nft_in b input "udp dport 51822 drop"
	keeps_trying a 192.168.7.2
	# Before the second initiation, some twenty seconds after the first packet, it is "silent".
	eventually 40 names a unanswered || true
	tells a unanswered
fi

if row given-up; then
	fresh
	nft_in b input "udp dport { 9, 51822 } drop"
	other=$(wg genkey | wg pubkey)
	in_ns a wg set wg0 peer "$other" allowed-ips 192.168.7.60 endpoint 10.0.0.2:9
	tries a
	tries a 192.168.7.60
	both_given_up() { (($(wgwhy a --prometheus | grep -c '^wireguard_peer_state.*"given-up"') == 2)); }
	eventually 120 both_given_up || fault "nothing is given up"
	tells a unanswered
	grep -q "given up" "$work/text" || fault "it does not say that: $(cat "$work/text")"
	in_ns a wg set wg0 peer "$other" endpoint 10.0.0.2:10
	wgwhy a >"$work/text" || true
	grep -qF "$other" "$work/text" && fault "of a new endpoint it says: $(cat "$work/text")"
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	# Set down, it has lost this one.
	ip -n a addr add fd77::1/64 dev wg0 nodad
	fine a
fi

if row no-endpoint; then
	fresh
	in_ns a wg set wg0 peer "${public[b]}" remove peer "${public[b]}" allowed-ips 192.168.7.2
	tries a
	tells a no-endpoint
fi

if row port-blocked; then
	fresh
	in_ns a wg set wg0 peer "${public[b]}" remove peer "${public[b]}" allowed-ips 192.168.7.2
	nft_in a input "policy drop;"
	tries b 192.168.7.1
	tells a port-blocked
	# What comes out of the tunnel would be dropped, too.
	nft_in a input "udp dport { 22, 51821 } accept; iifname wg0 accept"
	fine a
fi

if row endpoint-is-us; then
	fresh
	peer a b endpoint 10.0.0.1:51821
	tries a
	tells a endpoint-is-us
fi

if row own-address; then
	fresh
	peer a b allowed-ips 192.168.7.1/32,192.168.7.2/32
	tells a own-address
fi

if row mtu-below-ipv6; then
	used
	ip -n a link set wg0 mtu 1200
	tells a mtu-below-ipv6
fi

if row firewall-inside; then
	used
	nft_in a input "iifname wg0 counter drop"
	keeps_trying b 192.168.7.1
	tells a firewall-inside
fi

if row endpoint-in-tunnel; then
	fresh
	peer a b endpoint 192.168.7.2:51822
	tries a
	tells a endpoint-in-tunnel
fi

if row no-route-outside; then
	fresh
	peer a b endpoint 203.0.113.9:51822
	tries a
	tells a no-route-outside
fi

if row preshared-key; then
	fresh
	wg genpsk >"$work/psk"
	peer a b preshared-key "$work/psk"
	tries a
	tells a preshared-key
	also answer-lost
	tells b answer-lost
fi

if row clock; then
	fresh
	withhold a b "$work/initiation" "dst port 51821 and $initiation" tries b 192.168.7.1
	let_through a
	eventually 10 answers b 192.168.7.1 || fault "no answer after the withheld initiation"
	resend b "$work/initiation" 10.0.0.1 51821 4242
	fine a
	resend b "$work/initiation" 10.0.0.1 51821 4242
	tells a clock
fi

if row our-clock; then
	used
	# Until a's keepalive comes, b waits for an answer, and would begin a handshake itself after
	# 15 s.
	before=$(received b a)
	heard_more() { (($(received b a) > before)); }
	eventually 15 heard_more || fault "no keepalive of a"
	now=$(date +%s)
	# The timestamps of a peer never fall; those of one that is configured anew begin with the
	# clock.
	peer a b remove
	date -s 2001-01-01 >/dev/null
	peer a b endpoint 10.0.0.2:51822 allowed-ips 192.168.7.2/32
	tries a
	tells b clock
	tells a our-clock
	date -s "@$now" >/dev/null
fi

if row two-hosts-one-key; then
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
fi

if row firewall; then
	fresh
	nft_in a output "udp dport 51822 counter drop"
	tries a
	tells a firewall
fi

if row source-not-allowed; then
	used
	ip -n b addr add 192.168.9.9/32 dev wg0
	in_ns b ping -q -c 1 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
	tells a source-not-allowed
	grep -q 192.168.9.9 "$work/text" || fault "it does not say which source: $(cat "$work/text")"
	# Repaired, it is no trouble any more.
	peer a b allowed-ips 192.168.7.2/32,192.168.9.9/32
	ip -n a route add 192.168.9.9 dev wg0
	fine a
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128

	also overlapping-allowed-ips
	in_ns a wg set wg0 peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.9.9/32
	in_ns b ping -q -c 1 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
	tells a overlapping-allowed-ips
fi

if row corrupted; then
	used
	nft_in b output "udp dport 51821 @th,64,8 0x04 @th,320,32 set 0x12345678"
	tries b 192.168.7.1
	tells a corrupted
fi

if row duplicated; then
	used
	in_ns b tc qdisc add dev veth root netem duplicate 100%
	in_ns b ping -q -c 5 -i 0.2 192.168.7.1 >/dev/null || true
	tells a duplicated
fi

if row mtu; then
	used
	ip -n a link set veth mtu 1400
	tells a mtu
fi

if row no-allowed-ips; then
	fresh
	peer a b allowed-ips ""
	tells a no-allowed-ips
fi

if row no-route-inside; then
	fresh
	peer a b allowed-ips 10.44.0.0/16
	tells a no-route-inside
fi

if row reverse-path; then
	used
	peer a b allowed-ips 10.55.0.0/16,192.168.7.2/32
	ip -n a route add 10.55.0.0/16 dev veth
	ip -n b addr add 10.55.0.1/32 dev wg0
	in_ns a sysctl -q net.ipv4.conf.wg0.rp_filter=1
	keeps_trying b -I 10.55.0.1 192.168.7.1
	tells a reverse-path
fi

if row forwarding; then
	used
	peer b a allowed-ips 192.168.7.1/32,10.66.0.0/16
	ip -n b route add 10.66.0.0/16 dev wg0
	keeps_trying b 10.66.0.1
	tells a forwarding
fi

if row lost-session; then
	used
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	ip -n a addr add fd77::1/64 dev wg0 nodad
	keeps_trying b 192.168.7.1
	notes a lost-session
fi

if row not-wireguard; then
	used
	# shellcheck disable=SC2016 # the inner shell expands it
	in_ns b bash -c 'echo hello >/dev/udp/10.0.0.1/51821'
	notes a not-wireguard
fi

if row watch; then
	fresh
	wgwhy a --watch >"$work/watch" &
	eventually 20 grep -q listening "$work/watch" || fault "it does not listen"
	answers a 192.168.7.2 || fault "no answer"
	peer a b persistent-keepalive 25
	eventually 5 grep -q "there is a session" "$work/watch" || fault "it tells no session: $(cat "$work/watch")"
	eventually 5 grep -q "its configuration was changed" "$work/watch" || fault "it tells no change: $(cat "$work/watch")"
fi

if row no-such-interface; then
	status=0
	wgwhy a wg404 2>"$work/text" || status=$?
	{ [[ $status == 2 ]] && grep -q "no such interface" "$work/text"; } ||
		fault "of no such interface it says, with status $status: $(cat "$work/text")"
fi

if [[ -e $(modinfo -n wireguard 2>/dev/null) ]] && row c-module; then
	gone
	eventually 10 unload_module || fault "the module stays"
	modprobe wireguard
	joined a b
	tunnel a b
	notes a c-module
	grep -q "the kernel's own C module" "$work/text" || fault "of the C module it says: $(cat "$work/text")"
	nft_in b input "udp dport 51822 drop"
	tries a
	tells a "c-module no-handshake"
fi
ended
