# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Two of the others at once.

# entry: vlan-with-cake
path_vlan_with_cake() {
	path_vlan
	qdisc a veth cake bandwidth 50mbit
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: vxlan-with-delay
path_vxlan_with_delay() {
	path_vxlan
	qdisc a veth netem delay 10ms limit 10000
}

# entry: esp-with-delay
path_esp_with_delay() {
	path_esp_transport
	qdisc a veth netem delay 10ms limit 10000
}

# entry: macsec-with-tbf
path_macsec_with_tbf() {
	path_macsec
	qdisc a veth handle 1: tbf rate 50mbit burst 20k limit 1m
	tc -n a qdisc add dev veth parent 1:1 fq_codel
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: wireguard-with-delay: the tunnel below waits 10 ms
path_wireguard_with_delay() {
	path_wireguard_2
	qdisc a low1 netem delay 10ms limit 10000
}

# entry: tap-with-rewrite: a rule rewrites what a program cuts
path_tap_with_rewrite() {
	path_tap_uso_cut
	rewrites output
	afterwards=tapped_rewritten
}
tapped_rewritten() {
	tapped
	rewritten b
}

# entry: bpf-with-fq
path_bpf_with_fq() {
	path_bpf_adjust_room
	qdisc a veth fq
}

# entry: geneve-with-policer seeds=5
path_geneve_with_policer() {
	path_geneve
	polices a egress
}

# entry: bond-with-gro
path_bond_with_gro() {
	local n
	path_bond
	for n in 1 2; do
		single a low$n
		single b low$n
		gro b low$n
	done
}

# entry: ipvlan-with-nfqueue
path_ipvlan_with_nfqueue() {
	path_nfqueue
	over ipv 3 -link=veth ipvlan mode l2
}

# entry: gateway-with-delay
path_gateway_with_delay() {
	gateway
	qdisc a veth netem delay 10ms limit 10000
}

# entry: gateway-with-rules: the rules of wg-quick where traffic is forwarded
path_gateway_with_rules() {
	gateway
	gro a lan
	single s veth
	quick_rules a
	quick_rules b
}

# entry: lo-with-delay
path_lo_with_delay() {
	path_lo
	qdisc u lo netem delay 5ms limit 10000
}

# entry: gre-with-delay
path_gre_with_delay() {
	path_gre
	qdisc a veth netem delay 10ms limit 10000
}

# entry: ipv6-with-slots: slots before a device with GRO, and IPv6 outside
path_ipv6_with_slots() {
	path_gro_slots
	over_ipv6
}

# entry: masquerade-with-loss seeds=5
path_masquerade_with_loss() {
	path_masquerade
	qdisc m far netem delay 5ms loss 0.5% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: flowtable-with-cake
path_flowtable_with_cake() {
	path_flowtable
	qdisc m far cake bandwidth 50mbit
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: relay-with-delay
path_relay_with_delay() {
	path_relay
	qdisc a veth netem delay 5ms limit 10000
	qdisc m far netem delay 5ms limit 10000
}

# entry: xdp-with-slots: slots before a device with native XDP
path_xdp_with_slots() {
	path_veth_xdp
	qdisc a veth netem slot 20ms 20ms limit 10000
	traffic=("tcp bytes=2000000" "${default_traffic[1]}")
}

# entry: tcpdump-with-delay: captures while packets wait
path_tcpdump_with_delay() {
	path_tcpdump
	qdisc a veth netem delay 10ms limit 10000
}

# entry: connections-with-delay
path_connections_with_delay() {
	plain
	qdisc a veth netem delay 2ms limit 10000
	traffic=("connections count=60 answer=30000")
}

# entry: segments-with-loss seeds=5: UDP_SEGMENT where packets are lost
path_segments_with_loss() {
	plain
	qdisc a veth netem delay 5ms loss 0.5% seed "$seed" limit 10000
	traffic=("datagrams rounds=100 shape=20x1200 gap=2000 gro=1")
}
