#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Up opens the port or says why not, and makes a handshake at once; down ends sessions and keeps everything else.

. "$(dirname "$0")/lib.sh"

port() {
	in_ns "$1" wg show wg0 listen-port
}

# answered_icmp: whether a datagram to a's port brings ICMP "port unreachable", so that the next one fails.
answered_icmp() {
	# shellcheck disable=SC2016 # the inner shell expands it
	! in_ns b bash -c 'exec 3>/dev/udp/10.0.0.1/51821; echo >&3 && sleep 0.3 && echo >&3' 2>/dev/null
}

# occupied FAMILY PORT COMMAND…: the command finds the port in use.
occupied() {
	local family=$1 number=$2 holder
	shift 2
	ip netns exec a ncat -"$family" -u -l "$number" &
	holder=$!
	listening() { in_ns a ss -Hlun "sport = $number" | grep -q .; }
	eventually 5 listening || fail "ncat does not listen"
	refuses "$@"
	[[ $message == *"Address already in use"* ]] || fail "'$*' with the port in use over IPv$family: $message"
	kill $holder
	wait $holder || true
}

load_module
joined a b
echo 1 | in_ns a tee /proc/sys/net/ipv4/conf/all/send_redirects >/dev/null
tunnel a b
[[ $(in_ns a cat /proc/sys/net/ipv4/conf/{all,wg0}/send_redirects) == 0$'\n'0 ]] || fail "redirects are sent"
if ip -n a -6 addr show dev wg0 | grep fe80; then fail "a link-local address"; fi
[[ $(in_ns a cat /sys/class/net/wg0/flags) == 0x91 ]] || fail "flags $(in_ns a cat /sys/class/net/wg0/flags)"
answers a 192.168.7.2 || fail "the first ping"

# Settings while up leave the session alone.
sessions=$(created Keypair)
peer a b persistent-keepalive 21 allowed-ips 192.168.7.0/24,fd77::/64 endpoint 10.0.0.2:51822
in_ns a wg set wg0 fwmark 3 listen-port 51899
in_ns a wg set wg0 fwmark 0 listen-port 51821
answers a 192.168.7.2 || fail "after settings"
answers b 192.168.7.1 || fail "after settings, the other way"
[[ $(created Keypair) == "$sessions" ]] || fail "settings ended the session"

# Down and up, a moment after the last handshake: settings stay, counters too, the session does not.
in_ns a wg showconf wg0 >/tmp/before
transfer=$(shown a transfer b)
at=$(shown a latest-handshakes b)
if answered_icmp; then fail "ICMP from an open port"; fi
ip -n a link set wg0 down
answered_icmp || fail "no ICMP from a closed port"
in_ns a wg showconf wg0 | diff /tmp/before - || fail "down changed the settings"
[[ $(shown a transfer b) == "$transfer" ]] || fail "down changed the counters"
[[ $(shown a latest-handshakes b) == "$at" ]] || fail "down changed the time of the last handshake"
refuses datagram a 192.168.7.2
peer a b persistent-keepalive 0
ip -n a link set wg0 up
answers a 192.168.7.2 || fail "no handshake at once after up"
(($(created Keypair) == sessions + 2)) || fail "$(created Keypair) sessions after up, $sessions before"
# With a persistent keepalive nothing needs to be sent.
ip -n a link set wg0 down
peer a b persistent-keepalive 25
ip -n a link set wg0 up
again() { (($(created Keypair) == sessions + 4)); }
eventually 2 again || fail "up with a persistent keepalive makes no handshake"
peer a b persistent-keepalive 0

# Port 0: one is chosen, shown, and kept.
in_ns a wg set wg0 listen-port 0
chosen=$(port a)
((chosen > 0)) || fail "no port was chosen"
answers a 192.168.7.2 || fail "from a chosen port"
for state in down up; do
	ip -n a link set wg0 $state
	[[ $(port a) == "$chosen" ]] || fail "$state: port $(port a), not $chosen"
done
[[ $(in_ns a ss -Hlun "sport = $chosen" | wc -l) == 2 ]] || fail "not one socket for each family on $chosen"

# In use, by either family, while up and at up. What was open before stays open.
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
