#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# words: ipv6.disable=1
# when: all
# wgwhy names the cause where the kernel has no IPv6, but a peer has an endpoint or allowed IPs of
# it.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

[[ ! -e /proc/net/if_inet6 ]] || skip "this kernel has IPv6"
load_module

# fresh: as elsewhere, without addresses of IPv6.
fresh() {
	local ns far number
	gone
	for ns in a b; do namespace $ns; done
	ip link add veth netns a type veth peer name veth netns b
	for ns in a b; do
		[[ $ns == a ]] && number=1 || number=2
		ip -n $ns addr add 10.0.0.$number/24 dev veth
		ip -n $ns link set veth up
		keys $ns
		ip -n $ns link add wg0 type wireguard
		in_ns $ns wg set wg0 private-key /dev/stdin listen-port 5182$number <<<"${private[$ns]}"
		ip -n $ns addr add 192.168.7.$number/24 dev wg0
	done
	for ns in a b; do
		[[ $ns == a ]] && far=b number=2 || far=a number=1
		peer $ns $far allowed-ips 192.168.7.$number/32 endpoint 10.0.0.$number:5182$number
		ip -n $ns link set wg0 up
	done
}

if row healthy; then
	used
	fine a
	fine b
fi

if row no-socket; then
	fresh
	peer a b endpoint '[fd00::2]:51822'
	tries a
	tells a no-socket
	peer a b endpoint 10.0.0.2:51822
	repaired
fi

if row ipv6-off; then
	used
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128
	tells a ipv6-off
	peer a b allowed-ips 192.168.7.2/32
	repaired
fi
ended
