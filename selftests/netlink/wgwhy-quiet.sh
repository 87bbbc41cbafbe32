#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 900
# wgwhy says nothing wrong of tunnels that only look broken, nor of hosts that lack a program.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

# hide PROGRAM: as if it were not there, until "shown_again".
hide() {
	hidden=$(readlink -f "$(command -v "$1")")
	mount --bind /dev/null "$hidden"
}

shown_again() { umount "$hidden"; }

if row routed-by-port; then
	fresh
	# Only what goes to the peer's port is led past the tunnel.
	ip -n a route add 10.0.0.0/24 dev veth src 10.0.0.1 table 77
	ip -n a rule add ipproto udp dport 51822 lookup 77
	ip -n a route del 10.0.0.0/24 dev veth
	ip -n a route add default dev wg0
	peer a b allowed-ips 0.0.0.0/0,fd77::2/128
	answers a 192.168.7.2 || fault "no answer"
	fine a
fi

if row standby-route; then
	used
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128,10.44.0.0/16
	ip -n a route add 10.44.0.0/16 via 10.0.0.2 dev veth metric 10
	ip -n a route add 10.44.0.0/16 dev wg0 metric 500
	fine a

	if debug_kernel; then
		echo "left out: several-hops (kernels built for debugging have no multipath routes)"
	else
		also several-hops
		ip -n a route del 10.44.0.0/16 metric 10
		ip -n a route del 10.44.0.0/16 metric 500
		ip -n a route add 10.44.0.0/16 nexthop via 10.0.0.2 dev veth nexthop dev wg0
		fine a
	fi
fi

if row our-key-repaired; then
	fresh
	wrong=$(wg genkey | wg pubkey)
	in_ns b wg set wg0 peer "${public[a]}" remove peer "$wrong" allowed-ips 192.168.7.1 endpoint 10.0.0.1:51821
	tries b 192.168.7.1
	in_ns b wg set wg0 peer "$wrong" remove
	peer b a allowed-ips 192.168.7.1/32,fd77::1/128 endpoint 10.0.0.1:51821
	answers b 192.168.7.1 || fault "no answer with the right key"
	fine a
fi

if row roaming; then
	used
	for port in 50001 50002 50003 50004; do
		in_ns b wg set wg0 listen-port $port
		answers b 192.168.7.1 || fault "no answer to port $port"
	done
	notes a two-hosts-one-key
fi

if row half-configured; then
	used
	in_ns a wg set wg0 peer "$(wg genkey | wg pubkey)"
	notes a no-allowed-ips
fi

if row names; then
	used
	ip -n a link property add dev wg0 altname office
	[[ $(wgwhy a office) == "No trouble with wg0." ]] || fault "of another name it says: $(wgwhy a office)"
	ip -n a link add $'d\xff' type dummy
	fine a

	also watch-no-such-interface
	status=0
	in_ns a timeout 20 python3 -B "$WG_TOP/tools/wgwhy" --watch wg404 2>"$work/text" || status=$?
	{ [[ $status == 2 ]] && grep -q "no such interface" "$work/text"; } ||
		fault "of no such interface it says, with status $status: $(cat "$work/text")"
fi

if row other-family; then
	fresh
	in_ns b nft -f - <<<"table ip6 t { chain c { type filter hook input priority 0; policy drop; }; }"
	notes b port-blocked
	grep -q "by IPv6" "$work/text" || fault "it does not say for whom: $(cat "$work/text")"
	in_ns b nft -f - <<<"table inet u { flags dormant; chain c { type filter hook input priority 0; policy drop; }; }"
	notes b port-blocked
	in_ns b nft delete table ip6 t
	repaired
fi

if row without-nft; then
	used
	hide nft
	notes a could-not-look
	shown_again
fi

if row without-wg; then
	fresh
	peer a b allowed-ips ""
	hide wg
	tells a no-allowed-ips
	shown_again
fi

if row refused-by-a-rule; then
	fresh
	ip -n a rule add ipproto udp dport 51822 blackhole
	tries a
	tells a no-route-outside
	grep -q "a blackhole route" "$work/text" || fault "it does not say why: $(cat "$work/text")"
	ip -n a rule del ipproto udp dport 51822 blackhole
	repaired

	also refused-by-ipsec
	fresh
	ip -n a xfrm policy add dir out dst 10.0.0.2/32 proto udp action block
	tries a
	tells a no-route-outside
	grep -q IPsec "$work/text" || fault "it does not say why: $(cat "$work/text")"
	ip -n a xfrm policy flush
	repaired
fi
ended
