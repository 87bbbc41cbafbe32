#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 120
# Which datagrams leave together as one packet: all where the device segments UDP or rules would
# look at each, else only the segments of a packet of TCP.

. "$(dirname "$0")/../lib.sh"

skip_on_c "sends no GSO packets"
grep -qw tracefs /proc/filesystems || skip "this kernel has no tracefs"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer"

# What the stack is given to send, before it cuts anything.
tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs trace $tracing
event=$tracing/events/net/net_dev_queue
echo 'len > 2500 && name == "veth"' >$event/filter

# datagrams [SEGMENT]: ten of 1000 bytes to b, in one go or one after the other.
datagrams() {
	in_ns a python3 - "${1:-}" <<'END'
import socket, sys

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# No socket has that port; a connected sender would get the ICMP errors.
address = "192.168.7.2", 9
if sys.argv[1]:
    sender.setsockopt(socket.IPPROTO_UDP, 103, 1000)
    sender.sendto(bytes(10000), address)
else:
    for _ in range(2000):
        sender.sendto(bytes(1000), address)
END
}

stream() {
	carry a b 192.168.7.2
}

# together COMMAND…: whether datagrams that it sends leave together.
together() {
	# The way is looked at once a second.
	pass 1.1
	answers a 192.168.7.2 || fail "no answer"
	echo 0 >$tracing/tracing_on
	echo >$tracing/trace
	echo 1 >$event/enable
	echo 1 >$tracing/tracing_on
	"$@"
	echo 0 >$event/enable
	grep net_dev_queue $tracing/trace >"$work/seen"
}

# expect yes|no COMMAND…
expect() {
	local answer=no
	! together "${@:2}" || answer=yes
	[[ $answer == "$1" ]] || head -n 5 "$work/seen"
	[[ $answer == "$1" ]] || fail "${*:2}: together: $answer instead of $1, $case"
}

head -c 200000 /dev/urandom >"$work/sent"
case="a device that segments UDP"
expect yes datagrams 1000
expect yes datagrams
expect yes stream

for ns in a b; do in_ns $ns ethtool -K veth tso off gso off tx-udp-segmentation off; done
case="a device that does not"
expect no datagrams 1000
expect no datagrams
expect yes stream

case="rules at the output"
in_ns a nft 'table inet test { chain output { type filter hook output priority 0; counter; }; }'
expect yes datagrams 1000
expect yes datagrams
in_ns a nft delete table inet test
case="no rules any more"
expect no datagrams 1000
