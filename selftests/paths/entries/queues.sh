# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Queueing disciplines and policers: at the sender's device, at a host in between, before the
# receiver.

# entry: netem-delay-middle: 10 ms at a host in between
path_netem_delay_middle() {
	routed
	qdisc m far netem delay 10ms limit 10000
}

# entry: netem-delay-receiver: 10 ms between the receiver's device and its stack
path_netem_delay_receiver() {
	plain
	received_through netem delay 10ms limit 10000
}

# received_through WORDS…: what comes to b goes through such a qdisc of an ifb device there.
received_through() {
	modprobe -a ifb act_mirred cls_matchall
	ip -n b link add ifb type ifb
	ip -n b link set ifb up
	qdisc b ifb "$@"
	tc -n b qdisc add dev veth clsact
	tc -n b filter add dev veth ingress matchall action mirred egress redirect dev ifb
}

# entry: netem-delay-single: 10 ms at a device without segmentation offload
path_netem_delay_single() {
	plain
	single a veth
	single b veth
	qdisc a veth netem delay 10ms limit 10000
}

# entry: netem-slots-single: slots at a device without segmentation offload, before one with GRO
path_netem_slots_single() {
	plain
	single a veth
	gro b veth
	qdisc a veth netem slot 20ms 20ms limit 10000
	traffic=("tcp bytes=2000000" "${default_traffic[1]}")
}

# entry: netem-reorder seeds=5: one of fifty packets goes at once, the others wait
path_netem_reorder() {
	plain
	qdisc a veth netem delay 5ms reorder 2% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: netem-reorder-both seeds=5: the same, and 3 ms on the way back
path_netem_reorder_both() {
	path_netem_reorder
	qdisc b veth netem delay 3ms limit 10000
}

# entry: netem-loss seeds=5: one of two hundred packets is lost
path_netem_loss() {
	plain
	qdisc a veth netem delay 5ms loss 0.5% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: netem-loss-middle seeds=5: at a host in between
path_netem_loss_middle() {
	routed
	qdisc m far netem delay 5ms loss 0.5% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: netem-duplicate seeds=5: one of twenty packets comes twice
path_netem_duplicate() {
	plain
	qdisc a veth netem delay 5ms duplicate 5% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: netem-corrupt seeds=5: one of a hundred packets is altered
path_netem_corrupt() {
	plain
	qdisc a veth netem delay 5ms corrupt 1% seed "$seed" limit 10000
	traffic=("tcp bytes=2000000" "datagrams rounds=100 shape=1x1200,8x1200,1x300 gap=2000")
}

# entry: fq
path_fq() {
	plain
	qdisc a veth fq
}

# entry: fq-single: at a device without segmentation offload
path_fq_single() {
	plain
	single a veth
	single b veth
	qdisc a veth fq
}

# entry: fq-pacing: sockets with a rate of 40 Mbit/s
path_fq_pacing() {
	plain
	qdisc a veth fq
	traffic=("tcp bytes=2000000 pacing=5000000" "datagrams rounds=400 shape=1x1200 pacing=5000000")
	afterwards="echo paced=1"
}

# entry: fq-limited: each flow has 40 Mbit/s
path_fq_limited() {
	plain
	qdisc a veth fq maxrate 40mbit
	afterwards="echo paced=1"
	traffic=("tcp bytes=2000000" "datagrams rounds=400 shape=1x1200,8x1200 gap=3000")
}

# entry: fq-codel
path_fq_codel() {
	plain
	qdisc a veth fq_codel
}

# entry: cake: 50 Mbit/s
path_cake() {
	plain
	qdisc a veth cake bandwidth 50mbit
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: cake-no-split: and large packets stay large
path_cake_no_split() {
	plain
	qdisc a veth cake bandwidth 50mbit no-split-gso
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: cake-middle: at a host in between
path_cake_middle() {
	routed
	qdisc m far cake bandwidth 50mbit
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: tbf: 50 Mbit/s, with room for few packets at a time
path_tbf() {
	plain
	qdisc a veth tbf rate 50mbit burst 5k limit 200k
	traffic=("tcp bytes=2000000" "datagrams rounds=40 shape=1x1200,8x1200 gap=5000" "echo streams=1 probes=40")
}

# entry: tbf-middle: at a host in between
path_tbf_middle() {
	routed
	qdisc m far tbf rate 50mbit burst 5k limit 200k
	traffic=("tcp bytes=2000000" "datagrams rounds=40 shape=1x1200,8x1200 gap=5000" "echo streams=1 probes=40")
}

# entry: htb: two classes, with fq_codel in each
path_htb() {
	plain
	qdisc a veth handle 1: htb default 20
	tc -n a class add dev veth parent 1: classid 1:10 htb rate 10mbit ceil 60mbit
	tc -n a class add dev veth parent 1: classid 1:20 htb rate 50mbit ceil 60mbit
	tc -n a qdisc add dev veth parent 1:20 fq_codel
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: etf: sends at the time that a packet says, and drops what says none
path_etf() {
	plain
	late=etf
	traffic=("datagrams rounds=100 shape=1x1000,1x1000,1x1000,1x1000,1x1000,1x1000 txtime=3000 clock=11 gap=1000")
}
# etf: for data messages; others have no time.
etf() {
	modprobe -a sch_etf sch_prio cls_u32 cls_matchall
	qdisc a veth handle 1: prio bands 3
	tc -n a qdisc add dev veth parent 1:1 etf clockid CLOCK_TAI delta 200000
	tc -n a filter add dev veth parent 1: protocol ip prio 1 u32 match ip dport 51822 0xffff match u8 4 0xff at 28 classid 1:1
	tc -n a filter add dev veth parent 1: protocol all prio 2 matchall classid 1:2
}

# entry: policer seeds=5: 50 Mbit/s with a burst of about 100 kB at the sender
path_policer() {
	plain
	polices a egress
}
# polices NS egress|ingress: which packets of a stream are dropped hangs on little, so each turn has
# a burst of its own.
polices() {
	modprobe -a act_police cls_matchall
	tc -n "$1" qdisc add dev veth clsact
	tc -n "$1" filter add dev veth "$2" matchall action police rate 50mbit burst $((94 + 2 * seed))k conform-exceed drop
	traffic=("tcp bytes=1000000" "datagrams rounds=40 shape=1x1200,8x1200 gap=5000")
}

# entry: policer-receiver seeds=5: at the receiver
path_policer_receiver() {
	plain
	polices b ingress
}

# entry: inside-netem-delay: 10 ms at the tunnel's own interface
path_inside_netem_delay() {
	plain
	single a veth
	single b veth
	inside="qdisc a wg0 netem delay 10ms limit 10000"
}

# entry: inside-cake: at the tunnel's own interface
path_inside_cake() {
	plain
	inside="qdisc a wg0 cake bandwidth 50mbit"
	traffic=("tcp bytes=2000000" "${default_traffic[1]}" "echo streams=1 probes=40")
}

# entry: inside-fq: at the tunnel's own interface
path_inside_fq() {
	plain
	inside="qdisc a wg0 fq"
}
