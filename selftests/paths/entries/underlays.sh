# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What lies below the tunnel: devices and other tunnels.

# entry: veth: a plain veth pair
path_veth() {
	plain
}

# entry: veth-single core=yes: a veth pair without segmentation offload
path_veth_single() {
	plain
	single a veth
	single b veth
	watched=veth
}

# entry: veth-gro: without segmentation offload, but with GRO
path_veth_gro() {
	plain
	single a veth
	single b veth
	gro b veth
}

# entry: veth-no-checksums: nor with offload of checksums
path_veth_no_checksums() {
	local ns
	plain
	for ns in a b; do in_ns $ns ethtool -K veth tx off rx off; done
}

# entry: veth-xdp: native XDP at both ends
path_veth_xdp() {
	local ns
	plain
	for ns in a b; do ip -n $ns link set veth xdpdrv object "$WG_PATHS_BPF" section xdp; done
}

# entry: veth-ipv6: IPv6 outside
path_veth_ipv6() {
	plain
	over_ipv6
}

# entry: veth-ipv6-single: IPv6 outside, without segmentation offload
path_veth_ipv6_single() {
	plain
	over_ipv6
	single a veth
	single b veth
}

# entry: mtu-1280: of the tunnel
path_mtu_1280() {
	plain
	tunnel_mtu=1280
}

# entry: mtu-8920: of the tunnel, over 9000
path_mtu_8920() {
	plain
	ip -n a link set veth mtu 9000
	ip -n b link set veth mtu 9000
}

# entry: mtu-too-large: the tunnel's packets are fragments outside
path_mtu_too_large() {
	plain
	tunnel_mtu=1600
}

# entry: lo core=yes: both ends on one host, and a raw socket that reads all UDP
path_lo() {
	namespace u
	namespace a
	namespace b
	born=u near_outside=127.0.0.1 far_outside=127.0.0.1 tunnel_mtu=1420
	traffic=("tcp bytes=3000000 raw=1500 raw_in=u" "${default_traffic[@]:1}")
}

# entry: tap: a program between two tap devices, without segmentation offload
path_tap() {
	tap plain
}

# entry: tap-uso: a program that hands on what segments UDP, whole
path_tap_uso() {
	tap whole
}

# entry: tap-uso-cut core=yes: a program that reads large packets and cuts them by their virtio header
path_tap_uso_cut() {
	tap cut
}

# tap HOW: see traffic/tap.c.
tap() {
	local ns host=1
	namespace a
	namespace b
	modprobe tun
	"$WG_PATHS_TRAFFIC" tap a b "$1" >"$work/tap" &
	tap=$!
	afterwards=tapped
	eventually 5 grep -q up "$work/tap"
	for ns in a b; do
		ip -n $ns addr add 10.0.0.$host/24 dev tap
		ip -n $ns link set tap up
		host=2
	done
}

# tapped: what the program has seen.
tapped() {
	kill "$tap"
	wait "$tap"
	tail -n 1 "$work/tap"
}

# entry: bridge: a bridge of a host in between
path_bridge() {
	local ns host=1
	for ns in a b m; do namespace $ns; done
	ip -n m link add br0 type bridge
	ip -n m link set br0 up
	for ns in a b; do
		ip link add veth netns $ns type veth peer name port-$ns netns m
		ip -n m link set dev port-$ns master br0 up
		ip -n $ns addr add 10.0.0.$host/24 dev veth
		ip -n $ns link set veth up
		host=2
	done
}

# entry: bond: two veth pairs as one device
path_bond() {
	local ns host=1 n
	modprobe bonding
	for ns in a b; do
		namespace $ns
		ip -n $ns link add bond type bond mode balance-xor xmit_hash_policy layer3+4
	done
	for n in 1 2; do
		ip link add low$n netns a type veth peer name low$n netns b
		for ns in a b; do ip -n $ns link set low$n master bond; done
	done
	for ns in a b; do
		ip -n $ns addr add 10.0.0.$host/24 dev bond
		ip -n $ns link set bond up
		host=2
	done
}

# entry: vlan: a VLAN of the pair
path_vlan() {
	plain
	modprobe 8021q
	over vlan 3 -link=veth vlan id 7
}

# entry: macvlan
path_macvlan() {
	plain
	over mac 3 -link=veth macvlan mode bridge
}

# entry: ipvlan
path_ipvlan() {
	plain
	over ipv 3 -link=veth ipvlan mode l2
}

# entry: vrf: the device belongs to a VRF, and the socket to the mark's table
path_vrf() {
	local ns
	plain
	modprobe vrf
	for ns in a b; do
		ip -n $ns link add red type vrf table 10
		ip -n $ns link set red up
		ip -n $ns link set veth master red
		in_ns $ns sysctl -qw net.ipv4.udp_l3mdev_accept=1
		ip -n $ns rule add fwmark 7 table 10 pref 10
	done
	tunnel_mtu=1420 mark=7
}

# entry: vxlan
path_vxlan() {
	plain
	over vx 3 vxlan id 7 local LOCAL remote REMOTE dstport 4789
}

# entry: vxlan-partial boot=own: with tx-gso-partial
path_vxlan_partial() {
	path_vxlan
	partial vx
}

# entry: vxlan-single: over a pair without segmentation offload
path_vxlan_single() {
	path_vxlan
	single a veth
	single b veth
}

# entry: geneve
path_geneve() {
	plain
	over gnv 3 geneve id 7 remote REMOTE
}

# entry: gre
path_gre() {
	plain
	over gr 3 gre local LOCAL remote REMOTE
}

# entry: gre-vxlan-partial boot=own: GRE over vxlan with tx-gso-partial, as vxlan-ipip-partial
path_gre_vxlan_partial() {
	path_vxlan_partial
	over gr 4 gre local 10.3.0.OWN remote 10.3.0.OTHER
}

# entry: vxlan-geneve-partial boot=own: vxlan over geneve with tx-gso-partial
path_vxlan_geneve_partial() {
	path_geneve
	partial gnv
	over vx 4 vxlan id 7 local 10.3.0.OWN remote 10.3.0.OTHER dstport 4789
}

# entry: gretap: with a key and checksums
path_gretap() {
	plain
	over grt 3 gretap local LOCAL remote REMOTE key 7 csum
}

# entry: ipip
path_ipip() {
	plain
	over ipi 3 ipip local LOCAL remote REMOTE
}

# entry: sit: IPv6 outside, in IPv4
path_sit() {
	local ns host=1
	plain
	over st 3 sit local LOCAL remote REMOTE
	for ns in a b; do
		ip -n $ns addr add "fd00:3::$host/64" dev st nodad
		host=2
	done
	near_outside='[fd00:3::1]' far_outside='[fd00:3::2]'
}

# entry: ip6tnl: IPv4 in IPv6
path_ip6tnl() {
	plain
	over six 3 ip6tnl mode ipip6 local LOCAL6 remote REMOTE6
}

# entry: ip6gre
path_ip6gre() {
	plain
	over six 3 ip6gre local LOCAL6 remote REMOTE6
}

# entry: fou-4: IP in IP in UDP
path_fou_4() {
	plain
	modprobe fou
	in_ns a ip fou add port 5555 ipproto 4
	in_ns b ip fou add port 5555 ipproto 4
	over fu 3 ipip local LOCAL remote REMOTE encap fou encap-sport auto encap-dport 5555
}

# entry: fou-17: a host in between puts the tunnel's UDP into UDP, before a device with GRO
path_fou_17() {
	routed
	modprobe fou
	in_ns b ip fou add port 5555 ipproto 17
	single a veth
	single m far
	gro b veth
	bpf m far egress fou
	tunnel_mtu=1400
}

# entry: macsec
path_macsec() {
	local ns own=1 other=2
	plain
	modprobe macsec
	for ns in a b; do
		ip -n $ns link set veth address 02:00:00:00:00:0$own
		ip -n $ns link add link veth sec type macsec encrypt on
		ip -n $ns macsec add sec tx sa 0 pn 1 on key 0$own 0${own}23456789abcdef0123456789abcdef
		ip -n $ns macsec add sec rx port 1 address 02:00:00:00:00:0$other
		ip -n $ns macsec add sec rx port 1 address 02:00:00:00:00:0$other sa 0 pn 1 on key 0$other 0${other}23456789abcdef0123456789abcdef
		ip -n $ns addr add 10.3.0.$own/24 dev sec
		ip -n $ns link set sec up
		own=2 other=1
	done
	near_outside=10.3.0.1 far_outside=10.3.0.2
}

# entry: esp-transport
path_esp_transport() {
	plain
	esp transport
}

# entry: esp-tunnel
path_esp_tunnel() {
	plain
	esp tunnel
}

# esp MODE: between the ends of the pair, for UDP.
esp() {
	local ns own=1 other=2
	modprobe -a esp4 xfrm_user
	for ns in a b; do
		esp_state $ns 1 2 100 "$1"
		esp_state $ns 2 1 200 "$1"
		ip -n $ns xfrm policy add src 10.0.0.$own dst 10.0.0.$other proto udp dir out \
			tmpl src 10.0.0.$own dst 10.0.0.$other proto esp mode "$1"
		ip -n $ns xfrm policy add src 10.0.0.$other dst 10.0.0.$own proto udp dir in \
			tmpl src 10.0.0.$other dst 10.0.0.$own proto esp mode "$1"
		own=2 other=1
	done
	tunnel_mtu=1360
}

# esp_state NS FROM TO SPI MODE
esp_state() {
	ip -n "$1" xfrm state add src "10.0.0.$2" dst "10.0.0.$3" proto esp spi "$4" mode "$5" \
		aead 'rfc4106(gcm(aes))' 0x0123456789abcdef0123456789abcdef01234567 128
}

# entry: wireguard-2: a tunnel of the same driver below
path_wireguard_2() {
	plain
	below 1
}

# entry: wireguard-4 core=yes: three tunnels below
path_wireguard_4() {
	plain
	below 3
}

# entry: wireguard-6: five tunnels below
path_wireguard_6() {
	plain
	below 5
}

# entry: wireguard-queues: twelve tunnels below, each with a queue, which do not count as nested for the kernel
path_wireguard_queues() {
	local n
	plain
	below 12
	for ((n = 1; n <= 12; n++)); do qdisc a "low$n" pfifo limit 1000; done
	inside="qdisc a wg0 pfifo limit 1000"
	traffic=("datagrams rounds=100 shape=1x300 gap=2000")
}

# below COUNT: that many tunnels of the same driver, each over the one before.
below() {
	local n ns own other at=10.0.0 mtu=1420
	for ((n = 1; n <= $1; n++)); do
		for ns in a b; do
			keys $ns
			ip -n $ns link add "low$n" mtu $mtu type "${kind[$ns]}"
			wg_in $ns set "low$n" private-key /dev/stdin listen-port $((5000 + n)) <<<"${private[$ns]}"
		done
		own=1 other=2
		for ns in a b; do
			wg_in $ns set "low$n" peer "${public[$([[ $ns == a ]] && echo b || echo a)]}" \
				allowed-ips "10.$((50 + n)).0.0/24" endpoint "$at.$other:$((5000 + n))"
			ip -n $ns addr add "10.$((50 + n)).0.$own/24" dev "low$n"
			ip -n $ns link set "low$n" up
			own=2 other=1
		done
		at=10.$((50 + n)).0 mtu=$((mtu - 80))
	done
	near_outside=$at.1 far_outside=$at.2
}

# partial DEVICE: what it encapsulates once more is segmented by parts, at both ends.
partial() {
	local ns
	for ns in a b; do
		in_ns $ns ethtool -K "$1" tx-gso-partial on tx-ipxip4-segmentation on tx-udp_tnl-segmentation on tx-udp_tnl-csum-segmentation on
	done
}
