#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 120
# Datagrams for the port of an interface that comes up are never another tunnel's, be it the only
# kind that C knows of.

. "$(dirname "$0")/../lib.sh"

! debug_kernel || skip "kernels built for debugging know of no other tunnel"
load_module
modprobe vxlan
joined near far
ip -n near link add wg0 type wireguard
in_ns near wg set wg0 listen-port 51820
ip -n near link add vx type vxlan id 5 dstport 4789 dev veth
ip -n near link set vx up
in_ns far ethtool -K veth tso off
in_ns near ethtool -K veth gro on

tracing=/sys/kernel/tracing
mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing"
# The socket is ours if it has something of ours: when it is closed, it has nothing any more, which
# vxlan allows for.
echo 'p:taken vxlan_gro_receive data=sk->sk_user_data:x64' >"$tracing/kprobe_events"
echo 'data != 0' >"$tracing/events/kprobes/taken/filter"
echo 1 >"$tracing/events/kprobes/taken/enable"

# The flag tells vxlan to look at what belongs to the socket.
ip netns exec far python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.0.0.1", 51820))
while True:
    try: s.send(b"\0\x20" + bytes(60))
    except ConnectionRefusedError: pass' &
flood=$!
for _ in {1..100}; do
	ip -n near link set wg0 up
	ip -n near link set wg0 down
done
kill "$flood"
wait "$flood" || true
taken=$(grep -c taken "$tracing/trace" || true)
echo 0 >"$tracing/events/kprobes/taken/enable"
echo >"$tracing/kprobe_events"
((taken == 0)) || fail "vxlan took $taken datagrams"
