#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# A program that writes little at a time, and wants none of it to wait, has it gather behind what is
# on its way: not every write becomes a packet. Without a tunnel in between, and a veth pair that
# delivers at once, each does.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer"
head -c 1000000 /dev/urandom >"$work/sent"

# few_packets FROM TO ADDRESS: in that direction.
few_packets() {
	local before received
	before=$(snmp "$2" InSegs)
	carry "$1" "$2" "$3" 200 nodelay
	received=$(($(snmp "$2" InSegs) - before))
	echo "5000 writes arrived in $received segments"
	((received < 2500)) || fail "5000 writes made $received segments"
}

few_packets a b 192.168.7.2
few_packets b a 192.168.7.1
