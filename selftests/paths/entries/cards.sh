# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Drivers of real network cards: the machine has two of a kind on one wire, one for either end.

# cards DRIVER
cards() {
	local path ns host=1
	modprobe "$1"
	eventually 20 has_cards "$1" || fail "there are no two cards with the driver $1"
	for ns in a b; do
		namespace $ns
		for path in /sys/class/net/*/device/driver; do
			[[ $(readlink "$path") == */"$1" ]] || continue
			path=${path%/device/driver}
			ip link set dev "${path##*/}" netns $ns name card
			break
		done
		ip -n $ns addr add 10.0.0.$host/24 dev card
		ip -n $ns addr add fd00:0::$host/64 dev card nodad
		ip -n $ns link set card up
		host=2
	done
	eventually 20 answers a 10.0.0.2 || fail "the wire does not carry anything"
}

has_cards() {
	(($(readlink /sys/class/net/*/device/driver | grep -c "/$1\$") == 2))
}

# entry: igb group=igb cards=igb: without its segmentation of UDP, which QEMU gets wrong: of what a UDP_SEGMENT socket sends
# without a tunnel, each packet arrives as one long datagram
path_igb() {
	cards igb
	in_ns a ethtool -K card tx-udp-segmentation off
}

# entry: igb-ipv6 group=igb cards=igb
path_igb_ipv6() {
	path_igb
	over_ipv6
}

# entry: e1000e group=e1000e cards=e1000e
path_e1000e() {
	cards e1000e
}

# entry: vmxnet3 group=vmxnet3 cards=vmxnet3
path_vmxnet3() {
	cards vmxnet3
}

# entry: virtio group=virtio cards=virtio-net-pci
path_virtio() {
	cards virtio_net
}
