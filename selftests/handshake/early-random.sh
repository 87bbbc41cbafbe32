#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: unseeded
# boot: own
# Before the kernel's random number generator is seeded nothing secret is drawn from it: what comes
# is dropped, what should go waits. The order of lines in the kernel's log tells what came first.

. "$(dirname "$0")/../lib.sh"

# Keys without random numbers, as asking for those would have the kernel seed the generator.
keys() {
	private[$1]=$(printf '%032d' "$2" | base64)
	public[$1]=$(wg pubkey <<<"${private[$1]}")
}

# logged TEXT: whether the kernel has said that.
logged() {
	dmesg | grep -F "$1" >/dev/null
}

seeded="random: crng init done"
sent="initiation sent:"

# unseeded WHEN
unseeded() {
	! logged "$seeded" || fail "the generator is seeded already $1, so this says nothing"
}

load_module
keys a 1
keys b 2
namespace a
in_ns a ip link add wg0 type wireguard
in_ns a wg set wg0 private-key /dev/stdin listen-port 51821 <<<"${private[a]}"
peer a b endpoint 127.0.0.1:51822 allowed-ips 192.168.7.2/32
ip -n a link set wg0 up
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
# 148 bytes behind the headers of IPv4 and UDP.
in_ns a iptables -A OUTPUT -p udp --dport 51822 -m length --length 176 -j LOG --log-prefix "$sent "

# A message as long as an initiation, and with its type.
unseeded "before a message comes"
in_ns a bash -c 'printf "\1\0\0\0%0144d" 0 >/dev/udp/127.0.0.1/51821'
unseeded "after a message came"
# row C7
drops=/sys/kernel/debug/wireguard/wg0/drops
on_c || grep -qx 'rx-rng-not-ready 1' $drops ||
	fail "the message was not dropped while there were no random numbers: $(grep -v ' 0$' $drops)"

# An initiation is due at once, and then every five seconds.
peer a b persistent-keepalive 1
eventually 60 logged "$sent" || fail "no initiation within a minute"
# row C7
[[ $(dmesg | grep -oF -e "$seeded" -e "$sent" | head -n 1) == "$seeded" ]] ||
	fail "an initiation left before the generator was seeded"
