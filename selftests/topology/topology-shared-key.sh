#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# Several servers sharing one key behind one name. A session belongs to one of them; the server that
# the name leads to next makes its own at the next handshake, and the client changes nothing but the
# address that the name stands for.
#
#	                          +--- server1 198.51.100.1
#	client 198.51.100.9 --- Internet                       both: vpn.example, one key, wg0 192.168.7.1
#	wg0 192.168.7.9           +--- server2 198.51.100.2

. "$(dirname "$0")/../lib/topology.sh"

# name ADDRESS: what vpn.example stands for; the client asks for it again.
name() {
	echo "$1 vpn.example" >"$work/hosts"
	peer client server1 endpoint vpn.example:51821
	[[ $(shown client endpoints server1) == "$1:51821" ]] || fail "vpn.example leads to $(shown client endpoints server1)"
}

# heard NUMBER: whether that server has more from the client than before.
heard() {
	local old=${bytes[$1]:-0}
	bytes[$1]=$(received "server$1" client)
	((bytes[$1] > old))
}

load_module
internet
host server1 1
public server2 2
host client 9
touch "$work/hosts"
mount --bind "$work/hosts" /etc/hosts
bytes=()
ip -n server2 link add wg0 type wireguard
in_ns server2 wg set wg0 private-key /dev/stdin listen-port 51821 <<<"${private[server1]}"
ip -n server2 addr add 192.168.7.1/24 dev wg0
ip -n server2 addr add fd77::1/64 dev wg0 nodad
for ns in server1 server2; do peer $ns client allowed-ips 192.168.7.9/32; done
peer client server1 allowed-ips 192.168.7.1/32
up server1 server2 client

name 198.51.100.1
answers client 192.168.7.1 || fail "the first server"
# A server that still waits for an answer would make a handshake itself, and the client would go
# back to it.
pass 11
heard 1 || fail "the first server received nothing"
! heard 2 || fail "the second server received something"

# The second one does not know the session of the first. Ours begins a handshake as the endpoint
# changes. With C the second server cannot read what it gets, until after 15 s without an answer
# there is a new handshake.
name 198.51.100.2
if on_c; then
	unanswered client 192.168.7.1 || fail "the second server knows the session of the first"
	no_handshake server2 client || fail "a handshake with the second server right away"
	pass 17
fi
answers client 192.168.7.1 || fail "the second server"
heard 2 || fail "the second server received nothing"
! heard 1 || fail "the first server received something"
[[ $(in_ns client wg show wg0 peers | wc -l) == 1 ]] || fail "the client has another peer"
[[ $(shown client endpoints server1) == 198.51.100.2:51821 ]] || fail "the client went to $(shown client endpoints server1)"

# And back; the initiation is newer than what the first server has seen.
ip -n server2 link set wg0 down
name 198.51.100.1
datagram client 192.168.7.1
pass 17
answers client 192.168.7.1 || fail "the first server again"
heard 1 || fail "the first server received nothing after the way back"

# Without a session the change is immediate.
ip -n server2 link set wg0 up
pass 200
name 198.51.100.2
answers client 192.168.7.1 || fail "the second server, without a session before"
heard 2 || fail "the second server received nothing at the end"
