#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# What an interface is to the rest of the kernel: its kind, limits, flags, offloads, threads, and
# hooks on its way in.

. "$(dirname "$0")/../lib.sh"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 -w 5 || fail "the first ping"

# row L22: nftables' ingress hook and tc see what was decrypted.
in_ns b nft 'add table netdev t
	add chain netdev t in { type filter hook ingress device wg0 priority 0; }
	add rule netdev t in ip saddr 192.168.7.1 icmp type echo-request counter'
answers a 192.168.7.2 || fail "a ping past nftables"
rules=$(in_ns b nft list table netdev t)
[[ $rules == *'counter packets 1 bytes 84'* ]] || fail "nftables at ingress: $rules"
in_ns b nft delete table netdev t
in_ns b tc qdisc add dev wg0 clsact
in_ns b tc filter add dev wg0 ingress matchall action drop
unanswered a 192.168.7.2 || fail "tc at ingress does not see the packets"
in_ns b tc qdisc del dev wg0 clsact
answers a 192.168.7.2 || fail "a ping after tc"

# netpoll, which sends with interrupts off, takes no such interface; it takes one of the C module.
# Kernels for debugging have no netconsole.
if on_c; then
	left_out netpoll "the C module takes it"
elif ! modprobe -q netconsole; then
	left_out netpoll "this kernel has no netconsole"
else
	ip link add wg9 type wireguard
	ip address add 192.168.9.1/24 dev wg9
	ip link set wg9 up
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	console=/sys/kernel/config/netconsole/t
	mkdir "$console"
	echo wg9 >"$console/dev_name"
	echo 192.168.9.2 >"$console/remote_ip"
	refuses tee "$console/enabled" <<<1
	kernel_log | grep -q "wg9 doesn't support polling" || fail "netconsole: $message"
	rmdir "$console"
	ip link del wg9
fi

# Below the /proc of our process namespace is that of the machine, with the kernel's threads.
# shellcheck disable=SC2016 # the inner shell expands it
unshare --mount sh -c 'umount /proc && exec python3 -B "$WG_TOP/selftests/interface/link.py"'
