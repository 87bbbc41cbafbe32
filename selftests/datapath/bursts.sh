#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# Many small segments that leave at once, as large super-packets or in answer to one
# acknowledgement, all get through a wire that takes one at a time and whose far end is this machine
# as well: the receiver runs in between.

. "$(dirname "$0")/../lib.sh"

# No more than what a veth device keeps for NAPI, which is 256.
sysctl -qw net.core.netdev_max_backlog=255 net.core.rmem_max=8388608 net.core.wmem_max=8388608

# lost: packets for which there was no room behind the tunnel, and those for which there was none in
# ours.
lost() {
	local sum=0 dropped _
	while read -r _ dropped _; do ((sum += 16#$dropped)) || true; done </proc/net/softnet_stat
	echo "$sum" "$(in_ns a cat /sys/class/net/veth/statistics/tx_dropped)"
	on_c || awk '$1 ~ /queue-full/ && $2 != 0' /sys/kernel/debug/wireguard/*/drops
}

# stream MSS BYTES: arrives whole, and nothing of it is lost on its way.
stream() {
	local before after
	before=$(lost)
	head -c "$2" "$work/data" >"$work/sent"
	carry a b 192.168.7.2 262144 "mss=$1,sndbuf=4000000" rcvbuf=4000000
	after=$(lost)
	[[ $after == "$before" ]] || fail "MSS $1: lost before: $before; after: $after"
}

load_module
head -c 3000000 /dev/urandom >"$work/data"
joined a b
tunnel a b 4
for ns in a b; do in_ns "$ns" ethtool -K veth tso off gso off tx-udp-segmentation off; done
answers a 192.168.7.2 || fail "the first ping"

# While acknowledgements are on their way, the sender writes all that it has; then one of them lets
# all of that go.
ip -n a route replace 192.168.7.2 dev wg0 initcwnd 4000
ip -n b route replace 192.168.7.1 dev wg0 initrwnd 8000
tc -n b qdisc add dev wg0 root netem delay 50ms

stream 536 3000000
# Many more segments in one super-packet than there is room for.
stream 100 1000000
in_ns b ethtool -K veth gro on
stream 536 3000000
