#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of a machine that lies in memory as a whole, so that it can be saved: a tunnel
# to the host, and packets through it for as long as the machine lives.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
while read -r module; do
	insmod "/modules/$module" || echo "$module does not load"
done </modules/order
until [[ -e /sys/class/net/eth0 ]]; do sleep 0.1; done
ip link set lo up
ip addr add 10.99.0.2/24 dev eth0
ip link set eth0 up
ip link add wg0 type wireguard
wg set wg0 private-key /keys/private listen-port 51820 peer "$(cat /keys/remote)" \
	endpoint 10.99.0.1:51820 allowed-ips 10.9.0.1/32
ip addr add 10.9.0.2/24 dev wg0
ip link set wg0 up
echo "the tunnel is up"
# A machine that goes on does not know at once that it is a copy: the notice comes by an interrupt
# of ACPI and a work item. Little is due within that time, as it is saved right after an answer.
exec ping -q -i 2 10.9.0.1
