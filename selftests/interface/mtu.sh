#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Packets are padded to sixteen bytes, but never beyond the MTU of the interface or the route; the
# MTU has its limits.

. "$(dirname "$0")/../lib.sh"

capture_number=0
# carries INNER OUTER OPTIONS…: a ping of INNER bytes, IP header included, makes a UDP payload of
# OUTER bytes.
carries() {
	local inner=$1 outer=$2 address=192.168.7.2 header=28 file
	shift 2
	if [[ ${1:-} == -6 ]]; then
		address=fd77::2
		header=48
	fi
	file=$work/sent$((++capture_number))
	capture b veth "$file" -c 1 "$data" and dst port 51822
	answers a $address "$@" -s $((inner - header)) || fail "a ping of $inner bytes"
	wait "${captures[$file]}"
	grep -q "length $outer\$" "$file" || fail "$inner bytes inside went as: $(cat "$file"), not $outer"
}

mtu() {
	in_ns a cat /sys/class/net/wg0/mtu
}

load_module
joined a b
tunnel a b
# row L6
[[ $(mtu) == 1420 ]] || fail "the MTU is $(mtu) by default"
answers a 192.168.7.2 || fail "the first ping"

# 32 bytes of header and tag.
# rows D6 K17
carries 29 64
carries 32 64
carries 33 80
carries 96 128
carries 1408 1440
# 1424 is more than the MTU.
carries 1409 1452
carries 1420 1452
carries 1409 1452 -6
carries 49 96 -6

# The MTU of a route (1299), also for what is larger: the last piece of 1299 bytes counts.
ip -n a route add 192.168.7.2 dev wg0 mtu 1299
# rows L14 D6
carries 1297 1331
carries 1299 1331
carries 1280 1312
carries 1400 1443 -M probe
ip -n a route del 192.168.7.2 dev wg0
ip -n a link set wg0 mtu 1400
carries 1399 1432
ip -n a link set wg0 mtu 1500
ip -n b link set wg0 mtu 1500
# Outside that is 1500 + 60 bytes, two fragments.
answers a 192.168.7.2 -s 1472 -M "do" || fail "a packet that is sent in two fragments was not answered"
ip -n a link set wg0 mtu 9000
ip -n b link set wg0 mtu 9000
answers a 192.168.7.2 -s 8972 -M "do" || fail "a packet that is sent in seven fragments was not answered"
answers a fd77::2 -s 8952 -M "do" || fail "a packet over IPv6 that is sent in seven fragments was not answered"
ip -n a link set wg0 mtu 65535
ip -n b link set wg0 mtu 65535
answers a 192.168.7.2 -s 30000 || fail "a packet that is sent in 21 fragments was not answered"
# More than fits into a datagram outside.
unanswered a 192.168.7.2 -s 65480 -M "do" || fail "a packet too long for a datagram was answered"
answers a 192.168.7.2 || fail "no answer after a packet that was too long"

# The limits, while up. IPv4 needs 68.
# row L7
for size in 68 0 67 2147483552 1420; do
	ip -n a link set wg0 mtu $size || fail "MTU $size"
	[[ $(mtu) == "$size" ]] || fail "the MTU is $(mtu), not $size"
	if ((size < 68)); then
		[[ $(ip -n a -4 -o addr show dev wg0) == "" ]] || fail "IPv4 with an MTU of $size"
		ip -n a link set wg0 down
		# Keepalives need no MTU.
		peer a b persistent-keepalive 1
		rx=$(received a b)
		ip -n a link set wg0 up
		heard() { (($(received a b) == rx + 92)); }
		eventually 2 heard || fail "no handshake with an MTU of $size"
		peer a b persistent-keepalive 0
	fi
done
ip -n a addr add 192.168.7.1/24 dev wg0
for size in 2147483553 2147483647; do
	refuses ip -n a link set wg0 mtu $size
	[[ $(mtu) == 1420 ]] || fail "the MTU is $(mtu) after a refused $size"
done
carries 1409 1452
