# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Paths on which packets of ours came to grief once.

# entry: netem-delay core=yes: 10 ms of netem on the sender's veth
path_netem_delay() {
	plain
	qdisc a veth netem delay 10ms limit 10000
}

# entry: unread-socket core=yes: an unconnected UDP server beside a packet socket that no program reads
path_unread_socket() {
	plain
	"$WG_PATHS_TRAFFIC" hold a b veth >"$work/held" &
	eventually 5 grep -q held "$work/held"
	traffic=("datagrams unconnected=1 nonblock=1 rounds=400 shape=8x1200 gap=1000")
}

# entry: gro-slots core=yes: slots of netem before a device with GRO
path_gro_slots() {
	plain
	in_ns a ethtool -K veth tso off
	gro b veth
	qdisc a veth netem slot 60ms 60ms limit 10000
	traffic=("datagrams rounds=20 shape=1x1200,8x1200,1x1200 gap=70000")
}

# entry: rewrite-output core=yes: a rule that rewrites the reserved bytes of outgoing datagrams
path_rewrite_output() {
	plain
	single a veth
	rewrites output
}

# entry: vxlan-ipip-partial boot=own: IP in IP over vxlan with tx-gso-partial
path_vxlan_ipip_partial() {
	path_vxlan_partial
	over tun 4 ipip local 10.3.0.OWN remote 10.3.0.OTHER
}

# entry: gateway-fq-codel core=yes: the latency beside two streams of a gateway whose device has tbf and fq_codel
path_gateway_fq_codel() {
	gateway
	qdisc a veth handle 1: tbf rate 20mbit burst 20k limit 1m
	tc -n a qdisc add dev veth parent 1:1 fq_codel
	traffic=("echo streams=2 probes=60")
}

# entry: gateway-fq: the same with fq
path_gateway_fq() {
	gateway
	qdisc a veth handle 1: tbf rate 20mbit burst 20k limit 1m
	tc -n a qdisc add dev veth parent 1:1 fq
	traffic=("echo streams=2 probes=60")
}

# entry: gateway-hash: a gateway whose device sorts by the hash of the inner flow
path_gateway_hash() {
	gateway
	modprobe -a sch_prio cls_flow
	qdisc a veth handle 1: prio bands 4
	tc -n a filter add dev veth parent 1: protocol all prio 1 handle 1 flow map key rxhash and 3 baseclass 1:1
	traffic=("datagrams clients=8 rounds=800 shape=1x1000 port=7900")
	afterwards="classes a"
}
# classes NS: the bytes that each has sent.
classes() {
	tc -n "$1" -s class show dev veth | awk '/^class/ { n = $3; gsub(/:/, "_", n) } /Sent/ { print "same_class" n "=" $2 }' |
		tr '\n' ' '
}

# entry: bpf-adjust-room core=yes: a BPF program that makes room for a header, which does not take large packets of UDP
path_bpf_adjust_room() {
	decapsulating
	bpf a veth egress grow
}

# entry: bpf-encap: a route with "encap bpf" that puts a header in front
path_bpf_encap() {
	decapsulating
	ip -n b addr add 10.0.0.3/24 dev veth
	ip -n a route add 10.0.0.2/32 encap bpf xmit obj "$WG_PATHS_BPF" section push dev veth
}

# A pair whose far end takes IP in IP from everybody.
decapsulating() {
	plain
	modprobe ipip
	ip -n b link set tunl0 up
	in_ns b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0
	tunnel_mtu=1400
}
