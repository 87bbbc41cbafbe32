#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Keepalives come when they should and only then: persistent ones from the moment of "up" or of the
# key, passive ones ten seconds after data without an answer.

. "$(dirname "$0")/../lib.sh"

# sent NS OTHER BYTES: whether NS has sent BYTES since "mark NS OTHER".
declare -A base
mark() {
	base[$1]=$(shown "$1" transfer "$2" | cut -f 2)
}
sent() {
	(($(shown "$1" transfer "$2" | cut -f 2) == base[$1] + $3)) ||
		fail "$1 sent $(shown "$1" transfer "$2" | cut -f 2) bytes, not ${base[$1]} + $3 ($4)"
}

load_module
joined a b
interface a 1
interface b 2
peer a b allowed-ips 192.168.7.2/32 endpoint 10.0.0.2:51822 persistent-keepalive 5
peer b a allowed-ips 192.168.7.1/32
ip -n b link set wg0 up

# Up: a handshake at once, and a keepalive every five seconds.
[[ $(shown a persistent-keepalive b) == 5 ]] || fail "the interval is $(shown a persistent-keepalive b)"
counted a b 0 0 || fail "packets before up"
ip -n a link set wg0 up
# row U7
eventually 2 counted a b 92 180 || fail "up: $(shown a transfer b), not a handshake and a keepalive"
pass 4
counted a b 92 180 || fail "four seconds later: $(shown a transfer b)"
pass 2
# row T5
counted a b 92 212 || fail "six seconds later: $(shown a transfer b)"
pass 10
counted a b 92 276 || fail "sixteen seconds later: $(shown a transfer b)"
# row T8
counted b a 276 92 || fail "b answered keepalives: $(shown b transfer a)"
peer a b persistent-keepalive off
[[ $(shown a persistent-keepalive b) == off ]] || fail "the interval is $(shown a persistent-keepalive b)"
pass 12
counted a b 92 276 || fail "off: $(shown a transfer b)"
# From zero to something while up: at once.
peer a b persistent-keepalive 20
# row P10
eventually 1 counted a b 92 308 || fail "on again: $(shown a transfer b)"
peer a b persistent-keepalive 0

# Passive: one answer to data, after ten seconds, and none to that.
mark a b
mark b a
datagram a 192.168.7.2
pass 9.5
sent a b 64 "the datagram"
sent b a 0 "before ten seconds"
pass 1
# rows K4 T2
sent b a 32 "after ten seconds"
pass 25
# row T8
sent a b 64 "a keepalive was answered"
sent b a 32 "twice"
# More data meanwhile does not put it off.
mark b a
datagram a 192.168.7.2
pass 8
datagram a 192.168.7.2
pass 3
sent b a 32 "eleven seconds after the first of two"
pass 20
sent b a 32 "once more for the second one, which the first keepalive has answered"
# Data of its own is answer enough.
mark b a
datagram a 192.168.7.2
pass 5
datagram b 192.168.7.1
pass 4.5
sent b a 64 "b's own datagram"
pass 3
# row T6
sent b a 64 "a keepalive although b had sent data"
ip -n a link del wg0
ip -n b link del wg0

# The key comes after up: nothing goes out before, and a handshake at once then.
interface a 1
interface b 2
in_ns a wg set wg0 private-key /dev/null
peer a b allowed-ips 192.168.7.2/32 endpoint 10.0.0.2:51822 persistent-keepalive 1
peer b a allowed-ips 192.168.7.1/32
ip -n b link set wg0 up
ip -n a link set wg0 up
pass 5
# row U8
counted a b 0 0 || fail "without a key: $(shown a transfer b)"
in_ns a wg set wg0 private-key /dev/stdin <<<"${private[a]}"
eventually 1 counted a b 92 180 || fail "with a late key: $(shown a transfer b)"
