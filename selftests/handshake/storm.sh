#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 180
# Five hundred peers come and go, with timers and handshakes running, while a stream through another
# peer goes on.

. "$(dirname "$0")/../lib.sh"

count=500
peers() {
	in_ns a wg show wg0 peers | wc -l
}

# moves TEXT: the stream is still alive.
moves() {
	local before
	before=$(received b a)
	more() { (($(received b a) > before + 100000)); }
	# TCP tries again after at most as long as nothing got through.
	eventually 60 more || fail "$1: the stream stands still: $(cat "$work/iperf3.log")"
	echo "second $SECONDS: the stream moves, $1"
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 -w 5 || fail "a ping"
iperf3_server b
ip netns exec a iperf3 --client 192.168.7.2 --time 3600 --bidir --bitrate 3M >"$work/iperf3.log" 2>&1 &

# Every 32 bytes are a public key. The endpoint is b's: its port is open, but b knows none of these
# peers.
head -c $((count * 63 / 2)) /dev/urandom | base64 -w 42 | sed 's/$/A=/' >"$work/keys"
awk '{
	printf "[Peer]\nPublicKey = %s\nEndpoint = 10.0.0.2:51822\nPersistentKeepalive = 25\n", $1
	printf "AllowedIPs = 10.%d.%d.0/24, fd99:%x::/32\n", 100 + NR / 256, NR % 256, NR
}' "$work/keys" >"$work/peers.conf"
sed 's/$/ remove/; s/^/peer /' "$work/keys" | tr '\n' ' ' >"$work/removal"
moves "before"
peers_before=$(created Peer)

# One by one.
in_ns a wg showconf wg0 >"$work/one.conf"
in_ns a wg addconf wg0 "$work/peers.conf"
[[ $(peers) == $((count + 1)) ]] || fail "$(peers) peers"
# row X2
moves "with $count peers more"
# shellcheck disable=SC2046 # words are what is wanted
in_ns a wg set wg0 $(cat "$work/removal")
[[ $(peers) == 1 ]] || fail "$(peers) peers after the removal"
moves "without them"

# All at once, and the stream's peer with them; the stream goes on in a new session.
in_ns a wg addconf wg0 "$work/peers.conf"
in_ns a wg setconf wg0 "$work/one.conf"
[[ $(peers) == 1 ]] || fail "$(peers) peers after setconf"
moves "after setconf"

# Up and down, while others change and read it: each waits for the locks of the other.
yes $'link set wg0 down\nlink set wg0 up' | ip -n a -batch - &
turns=$!
for changes in {1..30}; do
	in_ns a wg set wg0 fwmark "$changes"
	in_ns a wg show wg0 dump >"$work/dump"
done
[[ -e /proc/$turns ]] || fail "the interface no longer goes up and down"
kill $turns
wait $turns || true
ip -n a link set wg0 up
in_ns a wg set wg0 fwmark 0
# row X1
moves "after $changes changes between up and down"

# The interface goes with all of them, and none stays.
in_ns a wg addconf wg0 "$work/peers.conf"
ip -n a link del wg0
ip -n b link del wg0
(($(created Peer) >= peers_before + 3 * count)) || fail "$(created Peer) peers in all"
gone() { (check_balance none) >/dev/null 2>&1; }
# row X7
eventually 10 gone || fail "of $count peers and more some stay: $(objects | awk '$1 != $2')"
