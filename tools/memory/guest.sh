#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the machine whose memory is searched from outside (host.py): makes sessions and ends them
# in each way there is, and asks each time what can be found.
# usage: guest.sh FOLDER

. "$WG_TOP/selftests/lib.sh"

folder=$1
peer=10.99.0.1

# ask WORDS…: asks the host, and prints its answer.
ask() {
	echo "$*" >&"$host"
	timeout 300 dd bs=2000 count=1 status=none <&"$host"
}

# fresh: a session under which packets went both ways.
fresh() {
	ip link set wg0 down
	ip link set wg0 up
	# A handshake that begins within twenty milliseconds of the last one is refused.
	pass 6
	ping -q -c 3 -i 0.2 -W 5 10.9.0.1 >/dev/null || fail "no answer through the tunnel ($1)"
}

# search STEP
search() {
	echo "$1: $(ask search "$1")"
}

# configure KEY-NUMBER
configure() {
	ip link add wg0 type wireguard
	wg set wg0 private-key <(sed -n "$1p" "$folder/guest-keys") listen-port 51820
	ip addr add 10.9.0.2/24 dev wg0
	peered
	ip link set wg0 up
}

peered() {
	wg set wg0 peer "$(sed -n 3p "$folder/guest-keys")" preshared-key <(sed -n 4p "$folder/guest-keys") \
		endpoint "$peer:51820" allowed-ips 10.9.0.1/32
}

mark_log memory
modprobe virtio_net
eventually 20 test -e /sys/class/net/eth0 || fail "there is no wire"
ip addr add 10.99.0.2/24 dev eth0
ip link set eth0 up
exec {host}<>"/dev/udp/$peer/9"
load_module
configure 1

ask hold
fresh first
search alive
ask initiate
ping -q -c 3 -i 0.2 -W 5 10.9.0.1 >/dev/null || fail "no answer under the session that the other side began"

pass 600
search idle

fresh "before the sleep"
echo freezer >/sys/power/pm_test
echo 1 >/sys/module/suspend/parameters/pm_test_delay
echo freeze >/sys/power/state
pass 2
search suspend

fresh "before another key"
ask key
wg set wg0 private-key <(sed -n 2p "$folder/guest-keys")
pass 2
search key-change
fresh "under another key"

wg set wg0 peer "$(sed -n 3p "$folder/guest-keys")" remove
pass 2
search peer-removal

peered
fresh "before the removal"
ip link del wg0
pass 2
search removal

configure 2
fresh "before the end"
ip link del wg0
unload_module
pass 2
search unload
check_clean_log
