#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# limit: 240
# The peer's endpoint is routed into the tunnel, so each datagram of the interface comes back to
# it as a packet, larger than before, or as two. For a minute a machine of 1 GB has memory to
# spare, and afterwards the tunnel works.

. "$(dirname "$0")/../lib.sh"

# memory FIELD: in kB.
memory() {
	awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo
}

load_module
joined a b
tunnel a b
eventually 10 answers a 192.168.7.2 || fail "no answer before the loop"

ip -n a route add 10.9.0.2/32 dev wg0
peer a b allowed-ips 192.168.7.2/32,fd77::2/128,10.9.0.2/32 endpoint 10.9.0.2:51822
least=$(memory MemAvailable)
floor=$((least / 2))
echo "before: $least kB"
in_ns a socat -u -b 1300 OPEN:/dev/zero UDP-SENDTO:192.168.7.2:9 &
flood=$!
for ((end = SECONDS + 60; SECONDS < end; )); do
	pass 0.2
	now=$(memory MemAvailable)
	((now >= least)) || least=$now
	((least > floor)) || fail "after $((SECONDS - end + 60)) s $least kB are left, less than $floor"
done
kill "$flood"
wait "$flood" || true
echo "least: $least kB, sent $(statistic a tx_packets)"

peer a b endpoint 10.0.0.2:51822
eventually 20 answers a 192.168.7.2 || fail "no answer after the loop"

# What waited has left, or was dropped.
settled() {
	! grep -hv '^0 of ' /sys/kernel/debug/wireguard/*/waiting
}
on_c || eventually 10 settled || fail "something still waits"
