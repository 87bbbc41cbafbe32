#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# All traffic through the tunnel, by a mark on WireGuard's own packets, as wg-quick sets it up.
#
#	                 printer 10.9.0.9
#	                 |
#	laptop 10.1.0.2 -+- router (NAT) 198.51.100.1 --- Internet --- server (NAT) 198.51.100.2
#	wg0 192.168.7.1                                   |            wg0 192.168.7.2
#	                                                  website 198.51.100.3

. "$(dirname "$0")/../lib/topology.sh"

# seen: the address from which the website is visited, if it can be.
seen() {
	in_ns laptop ncat --recv-only -w 2 "$1" 80 2>/dev/null || true
}

# near_is NUMBER: whether that many packets were seen on the wire.
near_is() {
	(($(lines "$work/near") == $1))
}

load_module
internet
public router 1
lan router laptop 1
nat router
public server 2
public website 3
for family in 4 6; do
	# shellcheck disable=SC2016 # the shell of each connection expands it
	in_ns website ncat -$family --listen --keep-open 80 --sh-exec 'echo $NCAT_REMOTE_ADDR' &
	eventually 10 in_ns website sh -c "ss -$family -Hltn sport = 80 | grep -q ." || fail "the website does not start"
done

# The server gives its clients to the Internet as itself.
in_ns server sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
in_ns server nft -f - <<-END
	table inet nat {
		chain out {
			type nat hook postrouting priority srcnat
			iifname "wg0" oifname "eth0" masquerade
		}
	}
END
interface laptop 1
interface server 2
peer laptop server allowed-ips 0.0.0.0/0,::/0 endpoint 198.51.100.2:51822
peer server laptop allowed-ips 192.168.7.1/32,fd77::1/128
up server laptop
[[ $(seen 198.51.100.3) == 198.51.100.1 ]] || fail "without the tunnel one is seen from $(seen 198.51.100.3)"
[[ ! $(seen 2001:db8::3) ]] || fail "the laptop has IPv6 of its own"

# Everything but the marked packets looks into a table that leads into the tunnel; routes that are
# more special than the default are found first.
in_ns laptop wg set wg0 fwmark 51820
for family in -4 -6; do
	ip -n laptop $family route add default dev wg0 table 51820
	ip -n laptop $family rule add not fwmark 51820 table 51820
	ip -n laptop $family rule add table main suppress_prefixlength 0
done
[[ $(seen 198.51.100.3) == 198.51.100.2 ]] || fail "with the tunnel one is seen from '$(seen 198.51.100.3)'"
[[ $(seen 2001:db8::3) == 2001:db8::2 ]] || fail "over IPv6 one is seen from '$(seen 2001:db8::3)'"

# The wire has only messages to the server.
capture router lan1 "$work/bare" 'ip and not (udp and host 198.51.100.2 and port 51822)'
answers laptop 198.51.100.3 || fail "ping through the tunnel"
captured "$work/bare"
(($(lines "$work/bare") == 0)) || fail "packets beside the tunnel: $(cat "$work/bare")"

# What is near stays near.
ip -n laptop addr add 10.9.0.2/24 dev eth0
ip -n router addr add 10.9.0.9/24 dev lan1
capture router lan1 "$work/near" 'icmp and host 10.9.0.9'
answers laptop 10.9.0.9 || fail "the printer"
# tcpdump may come to the answer later than the laptop.
eventually 5 near_is 2 || true
captured "$work/near"
near_is 2 || fail "the printer is not reached directly: $(cat "$work/near")"

# Without the mark WireGuard's own packets go into the tunnel, and nothing arrives.
in_ns laptop wg set wg0 fwmark 0
unanswered laptop 198.51.100.3 || fail "an answer in spite of the loop"
in_ns laptop wg set wg0 fwmark 51820
answers laptop 198.51.100.3 || fail "ping with the mark again"

# When the server is gone, nothing leaks past the tunnel.
ip -n server link set wg0 down
[[ ! $(seen 198.51.100.3) ]] || fail "the website is reached without the server"
