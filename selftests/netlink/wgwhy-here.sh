#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# when: all
# limit: 1200
# wgwhy names what this host or the other one drops or refuses: at the port, in the tunnel, on the
# way out and in, whatever rule does it.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

load_module

# blocked RULES: the port of one that is called, which has never sent anything.
blocked() {
	fresh
	nft_in b input "$1"
	tries a
	tells b port-blocked
	in_ns b nft delete table inet t
}

if row port-blocked-counted; then
	blocked "udp dport 51822 counter drop"
	grep -q "drops what comes to the port 51822 (" "$work/text" || fault "it does not say how much: $(cat "$work/text")"
	repaired
fi

if row port-blocked-uncounted; then
	blocked "udp dport 51822 drop"
	also port-blocked-policy
	blocked "policy drop; tcp dport 22 accept;"
	also port-blocked-prerouting
	fresh
	in_ns b nft add table inet t
	in_ns b nft "add chain inet t c { type filter hook prerouting priority raw; }"
	in_ns b nft add rule inet t c udp dport 51822 drop
	tries a
	tells b port-blocked
fi

if row port-blocked-stock; then
	fresh
	nft_in b input "ct state established accept; tcp dport 22 accept; counter reject"
	notes b port-blocked
	tries a
	tells b port-blocked
	tells a port-unreachable
	in_ns b nft insert rule inet t c udp dport 51822 accept
	in_ns b nft insert rule inet t c iifname wg0 accept
	repaired
	# Connections that began here pass it.
	fresh
	answers a 192.168.7.2 || fault "no answer"
	nft_in a input "ct state established accept; iifname wg0 accept; counter drop"
	fine a
fi

if row wrong-port; then
	fresh
	peer a b endpoint 10.0.0.2:9
	tries a
	tells a port-unreachable
	grep -q "10.0.0.2 answers that nothing listens on its port 9" "$work/text" || fault "it says: $(cat "$work/text")"
	peer a b endpoint 10.0.0.2:51822
	repaired

	also wrong-port-ipv6
	fresh
	peer a b endpoint "[fd00:0::2]:9"
	tries a
	tells a port-unreachable
	grep -q "fd00::2 answers that nothing listens on its port 9" "$work/text" || fault "it says: $(cat "$work/text")"

	also down-there
	used
	ip -n b link set wg0 down
	keeps_trying a 192.168.7.2
	tells a port-unreachable
fi

if row router-without-route; then
	fresh
	in_ns b sysctl -qw net.ipv4.ip_forward=1
	ip -n a route add 10.8.0.0/15 via 10.0.0.2
	ip -n b route add unreachable 10.8.0.0/16
	ip -n b route add prohibit 10.9.0.0/16
	peer a b endpoint 10.8.0.2:51822
	tries a
	tells a port-unreachable
	grep -q "10.0.0.2 has no way to 10.8.0.2:51822" "$work/text" || fault "it says: $(cat "$work/text")"
	also router-forbids
	peer a b endpoint 10.9.0.2:51822
	tries a
	tells a port-unreachable
	grep -q "10.0.0.2 forbids datagrams to 10.9.0.2:51822" "$work/text" || fault "it says: $(cat "$work/text")"
	peer a b endpoint 10.0.0.2:51822
	repaired
fi

if row nothing-inside; then
	fresh
	ip -n a addr del 192.168.7.1/24 dev wg0
	ip -n a addr add 192.168.7.5/24 dev wg0
	keeps_trying a 192.168.7.2
	tells a nothing-inside
	also nothing-inside-tcp
	used
	nft_in b input "iifname wg0 tcp dport 9 drop"
	in_ns a bash -c 'while :; do socat -u OPEN:/dev/null TCP:192.168.7.2:9,connect-timeout=4; done' 2>/dev/null &
	tells a nothing-inside
fi

if row firewall-inside-uncounted; then
	used
	nft_in b input "iifname wg0 drop"
	keeps_trying a 192.168.7.2
	tells b firewall-inside
	also firewall-inside-policy
	used
	nft_in b input "policy drop; udp dport 51822 accept; meta l4proto ipv6-icmp accept;"
	keeps_trying a 192.168.7.2
	tells b firewall-inside
	also firewall-inside-address
	used
	nft_in b input "ip saddr 192.168.7.0/24 counter drop"
	keeps_trying a 192.168.7.2
	tells b firewall-inside
	also firewall-inside-output
	used
	nft_in a output "oifname wg0 drop"
	keeps_trying a 192.168.7.2
	tells a firewall-inside
	in_ns a nft delete table inet t
	repaired
fi

# dropped NAME RULES: a lets no handshake out or in, by rules of nft.
dropped() {
	also "$1"
	fresh
	in_ns a nft -f - <<<"$2"
	tries a
	tells a dropped-here
	in_ns a nft flush ruleset
	repaired
}

if row dropped-here; then
	dropped dropped-prerouting "table inet t { chain c { type filter hook prerouting priority raw; udp sport 51822 drop; }; }"
	dropped dropped-ingress "table netdev t { chain c { type filter hook ingress device veth priority 0; udp sport 51822 drop; }; }"
	dropped dropped-postrouting "table inet t { chain c { type filter hook postrouting priority 0; udp dport 51822 drop; }; }"
	dropped dropped-jump "table inet t { chain d { udp dport 51822 drop; }; chain c { type filter hook output priority 0; jump d; }; }"
	dropped dropped-set "table inet t { set bad { type ipv4_addr; elements = { 10.0.0.2 }; }; chain c { type filter hook input priority 0; ip saddr @bad counter drop; }; }"
fi

if row dropped-at-the-end; then
	fresh
	nft_in a output "ct state established accept; oifname wg0 accept; counter drop"
	tries a
	tells a firewall
	in_ns a nft flush ruleset
	repaired
fi

if row dropped-inside; then
	used
	in_ns a tc qdisc add dev wg0 root netem loss 100%
	keeps_trying a 192.168.7.2
	tells a tc-drops
	in_ns a tc qdisc del dev wg0 root
	repaired
fi

if row dropped-shaper; then
	fresh
	ip -n a neigh replace 10.0.0.2 lladdr "$(in_ns b cat /sys/class/net/veth/address)" dev veth nud permanent
	in_ns a tc qdisc add dev veth root tbf rate 8bit burst 200 latency 900s
	tries a
	tells a dropped-here
	in_ns a tc qdisc del dev veth root
	repaired
fi

if row unrelated-drops; then
	fresh
	nft_in b input "udp dport 51822 drop"
	in_ns a tc qdisc add dev veth clsact
	in_ns a tc filter add dev veth ingress protocol ip u32 match ip protocol 1 0xff action drop
	nft_in a prerouting "ip saddr 10.0.0.2 udp dport 51821 udp sport 4000-4999 counter drop"
	keeps_trying b 10.0.0.1
	in_ns b bash -c 'while :; do echo x | socat - UDP:10.0.0.1:51821,sourceport=4000; sleep 0.3; done' &
	tries a
	tells a unanswered
fi
ended
