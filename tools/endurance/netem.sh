#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# Runs in the guest: MINUTES of TCP and pings both ways over links that lose, reorder, duplicate and
# corrupt on both sides. What arrives is right, and every session was replaced in time.
# usage: netem.sh MINUTES

. "$WG_TOP/selftests/lib.sh"

mark_log netem
modprobe sch_netem
load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "the first ping"
for ns in a b; do
	in_ns $ns tc qdisc add dev veth root netem delay 10ms 3ms reorder 10% 50% loss 5% duplicate 5% corrupt 3%
done
end=$((SECONDS + $1 * 60))
files=0
head -c 300000 /dev/urandom >"$work/sent"
while ((SECONDS < end)); do
	carry a b 192.168.7.2
	carry b a 192.168.7.1
	files=$((files + 2))
	idling in_ns a ping -q -i 0.1 -c 200 -W 1 192.168.7.2 >"$work/ping" || true
	read -r sent got < <(awk '/packets transmitted/ { print $1, $4 }' "$work/ping")
	# Five packets in a hundred are lost each way, three corrupted; sixteen in all come to
	# nothing.
	((got * 100 >= sent * 70)) || fail "$got of $sent pings were answered"
done
for ns in a b; do in_ns $ns tc qdisc del dev veth root; done
eventually 30 answers a 192.168.7.2 || fail "no answer once the link is right again"
echo "result files=$files handshakes=$(($(created Keypair) / 2)) minutes=$1"
check_clean_log
