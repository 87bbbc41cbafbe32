#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 300
# A rule that rewrites bytes of outgoing datagrams rewrites those of each, except of one large
# packet after the rule came. Other rules do not keep datagrams from leaving together.

. "$(dirname "$0")/../lib.sh"

skip_on_c "sends no GSO packets and keeps none together"

# wire ON|OFF NS…: whether the wire between these takes what stands for several datagrams. It takes
# checksums half done, as nft does not know of them here.
wire() {
	local ns
	for ns in "${@:2}"; do in_ns "$ns" ethtool -K veth tso "$1" gso "$1" tx-udp-segmentation "$1" >/dev/null; done
}

# transfer FROM TO: sends data through the tunnel. Of the frames that came out of the wire
# meanwhile: $large ones that have several datagrams, and among the other data messages $changed and
# $plain ones, the latter within $span nonces.
transfer() {
	capture "$2" veth "$work/wire" -w - "udp dst port 51822"
	carry "$1" "$2" 192.168.7.2
	captured "$work/wire"
	# shellcheck disable=SC2034 # some are for other callers
	read -r large changed plain span < <(python3 - "$work/wire" <<'END'
import struct, sys

large = changed = 0
plain = []
with open(sys.argv[1], "rb") as file:
    file.seek(24)
    while header := file.read(16):
        frame = file.read(struct.unpack("<8xI4x", header)[0])
        message = frame[14 + (20 if frame[14] >> 4 == 4 else 40) + 8:]
        if len(frame) > 1514:
            large += 1
        elif message[0] == 4 and message[1:4] == b"\x12\x34\x56":
            changed += 1
        elif message[0] == 4:
            plain.append(struct.unpack("<Q", message[8:16])[0])
print(large, changed, len(plain), max(plain) - min(plain) + 1 if plain else 0)
END
	)
}

# rules NS [TEXT]: in a table of their own, instead of those that were there.
rules() {
	in_ns "$1" nft "table inet test; delete table inet test"
	[[ ! ${2:-} ]] || in_ns "$1" nft "table inet test { $2; }"
}

# again NS: the interface goes down and up.
again() {
	ip -n "$1" link set wg0 down
	ip -n "$1" link set wg0 up
	answers "$1" 192.168.7.2 || fail "$1: no answer after the interface went up again"
}

# told COUNT: how often the log has told that a rule rewrites.
told() {
	local seen
	seen=$(kernel_log | grep -c 'wireguard: wg0: A rule rewrites outgoing datagrams' || true)
	[[ $seen == "$1" ]] || fail "line ${BASH_LINENO[0]}: the log has told $seen times of a rule that rewrites"
}

# together FROM TO: datagrams must leave together.
together() {
	wire on "$1" "$2"
	transfer "$1" "$2"
	((large > 0)) || fail "line ${BASH_LINENO[0]}: nothing left together"
}

# hooks COUNT NS FAMILY: how many of our module must be there. The debug kernels do not list hooks.
hooks() {
	local seen
	! debug_kernel || return 0
	seen=$(in_ns "$2" nft list hooks "$3" | grep -c wireguard || true)
	[[ $seen == "$1" ]] || fail "line ${BASH_LINENO[0]}: $2 has $seen hooks for $3"
}

load_module
head -c 120000 /dev/urandom >"$work/sent"
joined a b
tunnel a b 4
joined c d 1
tunnel c d 6
peer c d endpoint "[fd00:1::2]:51822"
peer d c endpoint "[fd00:1::1]:51821"
# At the far end the message gets its bytes back.
for ns in b d; do
	in_ns "$ns" nft 'table inet undo { chain way {
		type filter hook prerouting priority raw; udp dport 51822 @th,72,24 set 0
	}; }'
done
answers a 192.168.7.2 || fail "the first ping over IPv4"
answers c 192.168.7.2 || fail "the first ping over IPv6"

# What wg-quick adds, filters, address translation, rules that change headers, and one that writes
# what is there anyway.
together a b
rules a 'chain quick { type filter hook postrouting priority mangle; meta l4proto udp meta mark 51820 ct mark set meta mark; };
	chain quick2 { type filter hook prerouting priority mangle; meta l4proto udp meta mark set ct mark; };
	chain filter { type filter hook output priority filter; ct state established,new counter accept; };
	chain nat { type nat hook postrouting priority srcnat; udp dport 51822 masquerade random; };
	chain class { type route hook output priority mangle; udp dport 51822 ip dscp set af21 ip ttl set 60; };
	chain same { type filter hook postrouting priority 300; udp dport 51822 @th,64,32 set 0x04000000; }'
in_ns a iptables -t mangle -A OUTPUT -p udp -j MARK --set-mark 7
together a b
(($(tcpdump -n -r "$work/wire" 'ip[1] != 0x48 or ip[8] != 60' 2>/dev/null | wc -l) == 0)) || fail "headers were not changed"
in_ns a iptables -t mangle -F
rules a
told 0

# Rules that rewrite: each by its own, when no packet has met one since the interface went up.
n=0
for pair in "a b" "c d"; do
	read -r from to <<<"$pair"
	for hook in output postrouting; do
		n=$((n + 1))
		again "$from"
		wire off "$from" "$to"
		rules "$from" "chain way { type filter hook $hook priority mangle; udp dport 51822 @th,72,24 set 0x123456; }"
		transfer "$from" "$to"
		# What left unchanged was of one packet, whose first datagram was changed. (A busy
		# capture misses some.)
		((large == 0 && changed > 10 && span < 64)) ||
			fail "$from, $hook: $changed changed, $plain plain ones of $span, $large too long"
		told $n
		wire on "$from" "$to"
		transfer "$from" "$to"
		((changed > 10 && plain == 0 && large == 0)) ||
			fail "$from, $hook, later: $changed changed, $plain plain ones, $large left together"
		told $n
		rules "$from"
	done
done
# The rules have gone, but the module has not noticed.
transfer c d
((plain > 10 && large == 0)) || fail "$large left together before the interface went down"
again c
together c d
told $n

# There is a hook where the sockets are, as long as there are any.
hooks 1 a ip
hooks 1 a ip6
ip -n a link add wg1 type wireguard
ip -n a link set wg1 up
in_ns a wg set wg0 listen-port 51899
ip -n a link set wg0 down
hooks 1 a ip
hooks 1 a ip6
namespace e
ip -n a link set wg1 netns e
ip -n e link set wg1 up
hooks 1 a ip
hooks 0 e ip
ip -n e link set wg1 down
hooks 0 a ip
hooks 0 a ip6

# Namespaces go while an interface is up: that of its sockets, and its own. In the end the module
# does.
ip -n e link set wg1 up
ip netns del a
gone() { [[ $(in_ns e cat /sys/class/net/wg1/carrier 2>/dev/null) == 0 ]]; }
eventually 10 gone || fail "the namespace of the sockets stays"
ip netns del e
ip netns del c
unload_module
hooks 0 b ip
hooks 0 d ip6
in_ns b ping -q -c 1 127.0.0.1 >/dev/null || fail "IPv4 without the module"
