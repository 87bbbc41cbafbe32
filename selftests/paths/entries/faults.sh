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
	decapsulates b
}
decapsulates() {
	modprobe ipip
	ip -n "$1" link set tunl0 up
	in_ns "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0
	tunnel_mtu=1400
}

# by_filter ACTION…: packets for 10.99.0.1 have a route past the tunnel, and a filter of the queue
# on that way brings them into it. Filters run while the kernel holds the queue's lock.
by_filter() {
	plain
	modprobe -a sch_prio cls_u32 cls_bpf act_mirred
	qdisc a veth handle 1: prio
	towards=10.99.0.1
	action=("$@")
	inside=filtered
}
filtered() {
	ip -n b addr add 10.99.0.1/32 dev wg0
	peer a b allowed-ips 192.168.7.2/32,10.99.0.1/32
	peer b a allowed-ips 192.168.7.1/32,10.0.0.1/32
	ip -n a route add 10.99.0.1 via 10.0.0.2 dev veth mtu 1400
	# The program finds the device in the packet's mark.
	rules a <<-END
		table inet marking {
			chain out { type route hook output priority 0; ip daddr 10.99.0.1 meta mark set $(in_ns a cat /sys/class/net/wg0/ifindex); }
		}
	END
	tc -n a filter add dev veth parent 1: protocol ip prio 1 "${action[@]}"
}

# entry: mirred-from-qdisc core=yes: a filter of the queue below redirects packets into the tunnel
path_mirred_from_qdisc() {
	by_filter u32 match ip dst 10.99.0.1/32 action mirred egress redirect dev wg0
}

# entry: mirror-from-qdisc: the same, with copies of the packets
path_mirror_from_qdisc() {
	by_filter u32 match ip dst 10.99.0.1/32 action mirred egress mirror dev wg0 pipe action drop
}

# entry: clone-from-qdisc: the same, by a BPF program
path_clone_from_qdisc() {
	by_filter bpf direct-action object-file "$WG_PATHS_BPF" section clone
}

# entry: gre-over-bridged-vxlan: as many devices below the tunnel as the kernel allows
path_gre_over_bridged_vxlan() {
	local ns host=1
	plain
	for ns in a b; do
		ip -n $ns link add bridge type bridge
		ip -n $ns link set bridge up
		ip -n $ns link add vxlan type vxlan id 7 local 10.0.0.$host remote 10.0.0.$((3 - host)) dstport 4789
		ip -n $ns link set vxlan master bridge up
		ip -n $ns addr add 10.3.0.$host/24 dev bridge
		host=2
	done
	over tun 4 gre local 10.3.0.OWN remote 10.3.0.OTHER
}

# entry: gro-fragments: some datagrams are fragments outside, before a device with GRO
path_gro_fragments() {
	plain
	single a veth
	gro b veth
	qdisc a veth netem slot 60ms 60ms limit 10000
	tunnel_mtu=1600
	traffic=("datagrams rounds=40 shape=1x300,1x1500,1x300,1x1500 gap=70000")
}

# entry: gro-fragments-ipv6: the same with IPv6 outside
path_gro_fragments_ipv6() {
	path_gro_fragments
	over_ipv6
}

# entry: gro-inner-fragments: some datagrams of an unconnected socket are fragments inside, before a device with GRO
path_gro_inner_fragments() {
	plain
	single a veth
	gro b veth
	qdisc a veth netem slot 60ms 60ms limit 10000
	traffic=("datagrams unconnected=1 rounds=40 shape=1x300,1x4000,1x300,1x4000,1x300 gap=70000")
}

# entry: policer-gro: a policer with a small burst behind GRO, at the receiver
path_policer_gro() {
	plain
	single a veth
	gro b veth
	polices_little b
}
# polices_little NS: what comes by its veth; no packet above the burst conforms.
polices_little() {
	modprobe -a act_police cls_matchall
	tc -n "$1" qdisc add dev veth clsact
	tc -n "$1" filter add dev veth ingress matchall action police rate 50mbit burst 8k conform-exceed drop
	traffic=("datagrams rounds=40 shape=12x1200 gap=10000")
}

# entry: bpf-gro: a BPF program behind GRO, at the receiver, that does not take large packets of UDP
path_bpf_gro() {
	decapsulating
	single a veth
	gro b veth
	bpf b veth ingress grow
}

# entry: policer-peer: a policer with a small burst at the far end of the sender's veth
path_policer_peer() {
	routed
	polices_little m
}

# entry: bpf-peer: a BPF program at the far end of the sender's veth that does not take large packets of UDP
path_bpf_peer() {
	routed
	decapsulates b
	bpf m veth ingress grow
}

# entry: netkit-program: a pair of netkit, whose own BPF program does not take large packets of UDP
path_netkit_program() {
	local ns host=1
	for ns in a b; do namespace $ns; done
	ip link add veth netns a type netkit mode l2 peer name veth netns b
	for ns in a b; do
		ip -n $ns addr add 10.0.0.$host/24 dev veth
		ip -n $ns link set veth up
		host=2
	done
	decapsulates b
	in_ns a python3 - "$WG_PATHS_BPF" <<-'END'
		import ctypes
		import socket
		import sys

		libbpf = ctypes.CDLL("libbpf.so.1")
		CLASSIFIER, NETKIT_PRIMARY = 3, 54
		POINTER = ctypes.c_void_p
		libbpf.bpf_object__open_file.restype = POINTER
		libbpf.bpf_object__next_program.restype = POINTER
		libbpf.bpf_program__name.restype = ctypes.c_char_p
		of = POINTER(libbpf.bpf_object__open_file(sys.argv[1].encode(), None))
		program = POINTER(libbpf.bpf_object__next_program(of, None))
		while program:
		    if libbpf.bpf_program__name(program) == b"grow_room":
		        libbpf.bpf_program__set_type(program, CLASSIFIER)
		        chosen = program
		    else:
		        libbpf.bpf_program__set_autoload(program, False)
		    program = POINTER(libbpf.bpf_object__next_program(of, program))
		if libbpf.bpf_object__load(of):
		    sys.exit("the program is not loaded")
		fd = libbpf.bpf_program__fd(chosen)
		if libbpf.bpf_prog_attach_opts(fd, socket.if_nametoindex("veth"), NETKIT_PRIMARY, None):
		    sys.exit("the program is not attached")
	END
}

# entry: fq-fragments: each flow has 20 Mbit/s, and datagrams are fragments outside
path_fq_fragments() {
	plain
	tunnel_mtu=1600
	filled
}
# filled: a queue that TCP fills, unless it knows what of it waits there. Slow start ends at a loss.
filled() {
	qdisc a veth fq maxrate 20mbit flow_limit 200
	in_ns a sysctl -qw net.ipv4.tcp_congestion_control=reno
	traffic=("tcp bytes=3000000")
	afterwards=queue_lost
}
queue_lost() {
	tc -n a -s qdisc show dev veth root | sed -n 's/.*dropped \([0-9]*\),.*/queue_lost=\1/p'
}

# entry: fq-vlan-single: the same below a VLAN without segmentation offload
path_fq_vlan_single() {
	plain
	modprobe 8021q
	over vlan 3 -link=veth vlan id 7
	single a vlan
	filled
}

# entry: mq-tbf: packets leave by the second queue of two, which has 50 Mbit/s
path_mq_tbf() {
	two_queues
	tc -n a qdisc replace dev veth root handle 1: mq
	tc -n a qdisc add dev veth parent 1:2 tbf rate 50mbit burst 5k limit 200k
	limited
}
# Both ends of the pair have two queues, and the near end's packets leave by the second one.
two_queues() {
	local ns host=1
	for ns in a b; do namespace $ns; done
	ip link add veth netns a numtxqueues 2 numrxqueues 2 type veth peer name veth netns b numtxqueues 2 numrxqueues 2
	for ns in a b; do
		ip -n $ns addr add 10.0.0.$host/24 dev veth
		ip -n $ns link set veth up
		host=2
	done
	in_ns a sh -c 'echo 1 >/sys/class/net/veth/queues/tx-1/xps_cpus'
}
limited() {
	traffic=("tcp bytes=2000000" "datagrams rounds=40 shape=1x1200,8x1200 gap=5000" "echo streams=1 probes=40")
}

# entry: multiq-tbf: the same as a child of multiq
path_multiq_tbf() {
	two_queues
	modprobe sch_multiq
	qdisc a veth handle 1: multiq
	tc -n a qdisc add dev veth parent 1:2 tbf rate 50mbit burst 5k limit 200k
	limited
}

# entry: red-tbf: 50 Mbit/s as a child of red
path_red_tbf() {
	plain
	modprobe sch_red
	qdisc a veth handle 1: red limit 400k min 100k max 200k avpkt 1000 burst 120 bandwidth 50mbit
	tc -n a qdisc add dev veth parent 1:1 tbf rate 50mbit burst 5k limit 200k
	limited
}

# entry: vrf-tbf: 50 Mbit/s at the VRF that the device belongs to
path_vrf_tbf() {
	path_vrf
	qdisc a red tbf rate 50mbit burst 5k limit 200k
	limited
}

# entry: xfrm-interface-queue: an xfrm interface, which encrypts, before a queue that takes few packets of a flow
path_xfrm_interface_queue() {
	local ns host=1
	plain
	modprobe -a xfrm_interface esp4
	for ns in a b; do
		ip -n $ns xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 mode tunnel if_id 7 aead "rfc4106(gcm(aes))" 0x0102030405060708090a0b0c0d0e0f1011121314 128
		ip -n $ns xfrm state add src 10.0.0.2 dst 10.0.0.1 proto esp spi 2 mode tunnel if_id 7 aead "rfc4106(gcm(aes))" 0x1102030405060708090a0b0c0d0e0f1011121314 128
		ip -n $ns xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 7 tmpl src 10.0.0.$host dst 10.0.0.$((3 - host)) proto esp mode tunnel
		ip -n $ns xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir in if_id 7 tmpl src 10.0.0.$((3 - host)) dst 10.0.0.$host proto esp mode tunnel
		host=2
	done
	over ipsec 3 -link=veth xfrm if_id 7
	tunnel_mtu=1300
	filled
}

# entry: gro-flush-timeout: GRO of both ends holds packets for 2 ms
path_gro_flush_timeout() {
	local ns
	plain
	for ns in a b; do
		single $ns veth
		gro $ns veth
		in_ns $ns sh -c 'echo 2000000 >/sys/class/net/veth/gro_flush_timeout'
	done
	traffic=("echo streams=0 probes=60" "tcp bytes=2000000")
}

# entry: netem-rate: a line of 20 Mbit/s with room for a hundred packets
path_netem_rate() {
	plain
	qdisc a veth netem rate 20mbit limit 100
	traffic=("tcp bytes=2000000" "echo streams=1 probes=40")
}

# entry: fq-vlan-segs: each flow has 20 Mbit/s, below a VLAN that takes no packets of several segments
path_fq_vlan_segs() {
	plain
	modprobe 8021q
	over vlan 3 -link=veth vlan id 7
	ip -n a link set vlan gso_max_segs 1
	filled
}
