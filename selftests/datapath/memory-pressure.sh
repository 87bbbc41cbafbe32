#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: debug
# limit: 600
# log: ref_tracker: memory allocation failure
# Streams arrive whole while the kernel has no large pages, and while one in thirty allocations that
# may not sleep fails. TCP sends again what was lost on the way. A handshake for which there was no
# memory begins again. Afterwards single datagrams get through, and nothing is left.

. "$(dirname "$0")/../lib.sh"

pages=/sys/kernel/debug/fail_page_alloc
slab=/sys/kernel/debug/failslab
for knobs in "$pages" "$slab"; do
	[[ -e $knobs ]] || fail "this kernel has no ${knobs##*/}"
	# Without a stack trace each, which would look like a complaint.
	echo 0 >"$knobs/verbose"
	# Only what may not sleep: packets, not the programs of this test.
	echo Y >"$knobs/ignore-gfp-wait"
done

most=1000000000
# failing ORDER PAGES SLAB: fails that percentage of pages from that order on, and of slab objects.
failing() {
	echo "$1" >"$pages/min-order"
	echo "$2" >"$pages/probability"
	echo "$3" >"$slab/probability"
	echo $most >"$pages/times"
	echo $most >"$slab/times"
}
trap 'failing 0 0 0' EXIT

# stream WHAT ORDER PAGES SLAB: a megabyte each way arrives as it was sent while these fail. The
# receiver is there before:
# what a program needs to bind is no packet.
stream() {
	local from=a to=b address=192.168.7.2 server
	for _ in there back; do
		in_ns $to socat -u TCP-LISTEN:7000,reuseaddr "CREATE:$work/arrived" &
		server=$!
		eventually 10 listens $to 7000 -t || fail "socat does not listen"
		failing "${@:2}"
		in_ns $from socat -u -b 65536 "OPEN:$work/sent" "TCP:$address:7000,retry=50,interval=0.1"
		wait "$server"
		failed=$((failed + $(failures)))
		failing 0 0 0
		cmp "$work/sent" "$work/arrived" || fail "something else arrived"
		echo "$1: from $from to $to, $(stat -c %s "$work/sent") bytes"
		from=b to=a address=192.168.7.1
	done
}

# failures: how many allocations have failed since failing() was called, by what the two knobs count
# down.
failures() {
	echo $((2 * most - $(<"$pages/times") - $(<"$slab/times")))
}

load_module
joined a b
tunnel a b 4
answers a 192.168.7.2 || fail "the first ping"
head -c 1000000 /dev/urandom >"$work/sent"

for ns in a b; do
	in_ns "$ns" ethtool -K veth tso off gso off gro on
	# A segment and its acknowledgement need many allocations, so one may be lost more often in
	# a row than TCP tries. The sender has closed its socket by then, and the receiver would
	# wait for ever.
	in_ns "$ns" sysctl -qw net.ipv4.tcp_retries2=200 net.ipv4.tcp_orphan_retries=200
done
failed=0
# Two pages are what an object of 4 kB takes beside what this kernel puts around it.
stream "no large pages" 2 100 0
stream "one in thirty allocations fails" 0 3 3
echo "$failed allocations failed"
((failed > 100)) || fail "only $failed allocations failed"

# An initiation for which there is no memory comes again five seconds later, like one that was lost.
# One program switches the failures on and off and sends a datagram in between: until the work item
# has run, no other program needs such memory.
pass 1
last=$(shown a latest-handshakes b)
# b does not know where a is, so it begins no handshake itself.
peer b a remove
peer b a allowed-ips 192.168.7.1/32
ip -n a link set wg0 down
ip -n a link set wg0 up
for cache in /sys/kernel/slab/kmalloc-{64,96,128,192,256}; do
	[[ ! -e $cache ]] || echo 1 >"$cache/failslab"
done
echo Y >"$slab/cache-filter"
echo N >"$slab/ignore-gfp-wait"
failing 0 0 0
nsenter --net=/run/netns/a python3 -c '
import socket, sys, time
probability = open(sys.argv[1] + "/probability", "wb", buffering=0)
times = lambda: open(sys.argv[1] + "/times").read()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect(("192.168.7.2", 9))
before = times()
probability.write(b"100")
sender.send(b"x")
time.sleep(1)
probability.write(b"0")
sys.exit(times() == before)' "$slab" || fail "the initiation needed no memory"
echo N >"$slab/cache-filter"
echo Y >"$slab/ignore-gfp-wait"
rekeyed() {
	(($(shown a latest-handshakes b) > last))
}
eventually 15 rekeyed || fail "no other attempt came"

for ns in a b; do
	[[ $ns == a ]] && far=192.168.7.2 || far=192.168.7.1
	answers "$ns" "$far" || fail "no ping from $ns afterwards"
done
if ! on_c; then
	for file in /sys/kernel/debug/wireguard/*/waiting; do
		[[ $(awk '{ print $1 }' "$file") == 0 ]] || fail "something still waits: $(<"$file")"
	done
fi
