#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Up opens the port or says why not, and makes a handshake at once; down ends sessions and keeps
# everything else.

. "$(dirname "$0")/../lib.sh"

port() {
	in_ns "$1" wg show wg0 listen-port
}

# answered_icmp: whether a datagram to a's port brings ICMP "port unreachable", so that the next one
# fails.
answered_icmp() {
	# shellcheck disable=SC2016 # the inner shell expands it
	! in_ns b bash -c 'exec 3>/dev/udp/10.0.0.1/51821; echo >&3 && sleep 0.3 && echo >&3' 2>/dev/null
}

# hold FAMILY PORT: takes a port of a; $holder is the process.
hold() {
	ip netns exec a ncat -"$1" -u -l "$2" &
	holder=$!
	local family=$1 number=$2
	taken() { [[ $(in_ns a ss -Hlunp -"$family" "sport = $number") == *ncat* ]]; }
	eventually 5 taken || fail "ncat does not listen on $2"
}

# occupied FAMILY PORT COMMAND…: the command finds the port in use.
occupied() {
	local family=$1 number=$2
	shift 2
	hold "$family" "$number"
	refuses "$@"
	[[ $message == *"Address already in use"* ]] || fail "'$*' with the port in use over IPv$family: $message"
	kill $holder
	wait $holder || true
}

load_module
joined a b
echo 1 | in_ns a tee /proc/sys/net/ipv4/conf/{all,default}/send_redirects >/dev/null
tunnel a b
# rows U1 U2
[[ $(in_ns a cat /proc/sys/net/ipv4/conf/{all,wg0}/send_redirects) == 0$'\n'0 ]] || fail "redirects are sent"
if ip -n a -6 addr show dev wg0 | grep fe80; then fail "a link-local address"; fi
[[ $(in_ns a cat /sys/class/net/wg0/flags) == 0x91 ]] || fail "flags $(in_ns a cat /sys/class/net/wg0/flags)"
answers a 192.168.7.2 || fail "the first ping"

# Settings while up leave the session alone: row SP2.
sessions=$(created Keypair)
peer a b persistent-keepalive 21 allowed-ips 192.168.7.0/24,fd77::/64 endpoint 10.0.0.2:51822
in_ns a wg set wg0 fwmark 3 listen-port 51899
in_ns a wg set wg0 fwmark 0 listen-port 51821
answers a 192.168.7.2 || fail "after settings"
answers b 192.168.7.1 || fail "after settings, the other way"
[[ $(created Keypair) == "$sessions" ]] || fail "settings ended the session"

# rows U9 S4: down and up, a moment after the last handshake: settings stay, counters too, the
# session does not.
in_ns a wg showconf wg0 >"$work/before"
transfer=$(shown a transfer b)
at=$(shown a latest-handshakes b)
if answered_icmp; then fail "ICMP from an open port"; fi
ip -n a link set wg0 addrgenmode eui64
ip -n a link set wg0 down
# row U1
[[ $(in_ns a cat /proc/sys/net/ipv4/conf/{all,wg0}/send_redirects) == 0$'\n'0 ]] || fail "down lets redirects be sent"
# row U10
answered_icmp || fail "no ICMP from a closed port"
in_ns a wg showconf wg0 | diff "$work/before" - || fail "down changed the settings"
[[ $(shown a transfer b) == "$transfer" ]] || fail "down changed the counters"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "down changed the time of the last handshake"
refuses datagram a 192.168.7.2
peer a b persistent-keepalive 0
ip -n a link set wg0 up
# row U2: another mode does not last.
if ip -n a -6 addr show dev wg0 | grep fe80; then fail "a link-local address after another mode"; fi
ip -n a -d link show wg0 | grep 'addrgenmode none' >/dev/null || fail "the mode of addresses: $(ip -n a -d link show wg0)"
answers a 192.168.7.2 || fail "no handshake at once after up"
(($(created Keypair) == sessions + 2)) || fail "$(created Keypair) sessions after up, $sessions before"
# With a persistent keepalive nothing needs to be sent.
ip -n a link set wg0 down
peer a b persistent-keepalive 25
ip -n a link set wg0 up
again() { (($(created Keypair) == sessions + 4)); }
eventually 2 again || fail "up with a persistent keepalive makes no handshake"
peer a b persistent-keepalive 0

# row U5: port 0: one is chosen, shown, and kept.
in_ns a wg set wg0 listen-port 0
chosen=$(port a)
((chosen > 0)) || fail "no port was chosen"
answers a 192.168.7.2 || fail "from a chosen port"
for state in down up; do
	ip -n a link set wg0 $state
	[[ $(port a) == "$chosen" ]] || fail "$state: port $(port a), not $chosen"
done
# row U3: the one for IPv6 takes no IPv4.
[[ $(in_ns a ss -HlunO "sport = $chosen" | awk '{ print $4 }' | sort | paste -sd ' ') == "0.0.0.0:$chosen [::]:$chosen" ]] ||
	fail "not one socket for each family on $chosen: $(in_ns a ss -Hlun "sport = $chosen")"
in_ns a ss -HlunOe "sport = $chosen" | grep -F '[::]' | grep 'v6only:1' >/dev/null ||
	fail "the socket for IPv6 takes IPv4: $(in_ns a ss -HlunOe "sport = $chosen")"

# rows U6 SP1: in use, by either family, while up and at up. What was open before stays open.
occupied 4 7000 in_ns a wg set wg0 listen-port 7000
occupied 6 7001 in_ns a wg set wg0 listen-port 7001
[[ $(port a) == "$chosen" ]] || fail "a refused port is shown: $(port a)"
answers a 192.168.7.2 || fail "after refused ports"
ip -n a link set wg0 down
in_ns a wg set wg0 listen-port 7002
[[ $(port a) == 7002 ]] || fail "a port set while down: $(port a)"
occupied 4 7002 ip -n a link set wg0 up
occupied 6 7002 ip -n a link set wg0 up
[[ $(in_ns a ss -Hlun "sport = 7002") == "" ]] || fail "a socket stays after a refused up"
[[ $(in_ns a cat /sys/class/net/wg0/flags) == 0x90 ]] || fail "flags $(in_ns a cat /sys/class/net/wg0/flags) after a refused up"
ip -n a link set wg0 up
answers a 192.168.7.2 || fail "when the port is free again"

# Each refusal is in the log, with the family.
logged() {
	[[ $(kernel_log | grep -c "wg0: Could not create $1 socket") == "$2" ]] ||
		fail "not $2 failures of $1 in the log: $(kernel_log | grep 'Could not')"
}
logged IPv4 2
logged IPv6 2

# row U6: a port below 1024 needs CAP_NET_BIND_SERVICE.
ip -n a link set wg0 down
in_ns a wg set wg0 listen-port 99
refuses setpriv --bounding-set -net_bind_service --inh-caps -net_bind_service ip -n a link set wg0 up
[[ $message == *"Permission denied"* ]] || fail "a low port without the capability: $message"
logged IPv4 3
ip -n a link set wg0 up
[[ $(port a) == 99 ]] || fail "a low port: $(port a)"
ip -n a link set wg0 down

# row U4: of four ports three are taken for IPv6. A random one is tried until both families have it.
echo 30000 30003 | in_ns a tee /proc/sys/net/ipv4/ip_local_port_range >/dev/null
for number in 30000 30001 30003; do
	hold 6 $number
	holders+=("$holder")
done
for round in 1 2 3 4; do
	in_ns a wg set wg0 listen-port 0
	ip -n a link set wg0 up || fail "round $round: no port was found"
	[[ $(port a) == 30002 ]] || fail "round $round: port $(port a)"
	ip -n a link set wg0 down
done
logged IPv6 2
# A fixed one is another matter.
in_ns a wg set wg0 listen-port 30001
calls 1 inet6_bind refuses ip -n a link set wg0 up
[[ $message == *"Address already in use"* ]] || fail "a fixed port that is taken: $message"
# And an end there is, when there is none at all.
hold 6 30002
holders+=("$holder")
in_ns a wg set wg0 listen-port 0
calls 101 inet6_bind refuses ip -n a link set wg0 up
[[ $message == *"Address already in use"* ]] || fail "no port at all: $message"
kill "${holders[@]}"
# row D19: both sockets may use the memory reserves.
calls 2 sk_set_memalloc ip -n a link set wg0 up

# row U1: not even when the interface is gone.
ip -n a link del wg0
[[ $(in_ns a cat /proc/sys/net/ipv4/conf/all/send_redirects) == 0 ]] || fail "redirects are sent again after all"
