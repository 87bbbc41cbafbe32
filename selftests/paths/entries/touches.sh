# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What looks at packets on their way, or changes them.

# entry: tcpdump: captures at both ends
path_tcpdump() {
	local ns
	plain
	for ns in a b; do capture $ns veth "$work/$ns.pcap" -w -; done
}

# entry: raw-socket: one that reads all UDP at the receiver, without segmentation offload
path_raw_socket() {
	plain
	single a veth
	single b veth
	traffic=("tcp bytes=3000000 raw=1500")
}

# entry: rules-wg-quick: the rules that wg-quick makes, and a firewall
path_rules_wg_quick() {
	plain
	quick_rules a
	quick_rules b
}

# quick_rules NS
quick_rules() {
	rules "$1" <<-'END'
		table ip wg-quick-wg0 {
			chain preraw {
				type filter hook prerouting priority -300; policy accept;
				iifname != "wg0" ip daddr 192.168.99.1 fib saddr type != local drop
			}
			chain premangle {
				type filter hook prerouting priority -150; policy accept;
				meta l4proto udp meta mark set ct mark
			}
			chain postmangle {
				type filter hook postrouting priority -150; policy accept;
				meta l4proto udp meta mark 0x0000ca6c ct mark set meta mark
			}
		}
		table inet filter {
			chain input {
				type filter hook input priority 0; policy accept;
				ct state invalid drop
				ct state established,related accept
				counter
			}
			chain output {
				type filter hook output priority 0; policy accept;
				counter
			}
		}
	END
}

# entry: rules-limit: at most 20 000 packets a second, at the output
path_rules_limit() {
	plain
	rules a <<-'END'
		table inet w {
			chain o {
				type filter hook output priority 0;
				udp dport 51822 limit rate over 20000/second burst 500 packets drop
			}
		}
	END
	traffic=("tcp bytes=2000000" "${default_traffic[1]}")
}

# entry: rewrite-postrouting: a rule after routing that rewrites the reserved bytes
path_rewrite_postrouting() {
	plain
	single a veth
	rewrites postrouting
}

# rewrites HOOK: the rule is at the sender's hook; what comes to b unchanged is counted, and
# dropped.
rewrites() {
	rules a <<-END
		table inet w {
			chain o {
				type filter hook $1 priority mangle;
				udp dport 51822 @th,72,24 set 0x123456
			}
		}
	END
	rules b <<-'END'
		table inet w {
			counter unchanged {}
			chain i {
				type filter hook prerouting priority raw;
				udp dport 51822 @th,72,24 0 counter name unchanged drop
				udp dport 51822 @th,72,24 set 0
			}
		}
	END
	late=warmed
	afterwards="rewritten b"
}
# warmed: a short transfer, so that what the first large packet loses is no part of the figures.
warmed() {
	WG_NEVER_IDLE=$never_idle "$WG_PATHS_TRAFFIC" tcp "$source" "$target" "$towards" bytes=100000 >/dev/null
}
# rewritten NS: the datagrams that came with the bytes that the tunnel wrote there, those of one
# large packet aside: it has at most 64, and leaves unchanged after such a rule has appeared
# (docs/differences.md).
rewritten() {
	local count
	count=$(nft_counter "$1" w unchanged)
	echo "fault_unchanged=$((count > 64 ? count - 64 : 0))"
}

# entry: rewrite-dscp: a rule that sets the DS field
path_rewrite_dscp() {
	plain
	single a veth
	marked "udp dport 51822"
}

# marked WORDS…: a rule of nftables at the sender with such a match sets the DS field; what comes
# without is counted.
marked() {
	rules a <<-END
		table inet w {
			chain o {
				type filter hook output priority mangle;
				$* ip dscp set cs1
			}
		}
	END
	rules b <<-'END'
		table inet w {
			counter unchanged {}
			chain i {
				type filter hook prerouting priority raw;
				udp dport 51822 ip dscp != cs1 counter name unchanged
			}
		}
	END
	afterwards="rewritten b"
}

# entry: skuid: a rule for what a user sends
path_skuid() {
	plain
	single a veth
	marked "udp dport 51822 meta skuid 0"
	traffic=("${default_traffic[@]:1}")
}

# entry: cgroup: a rule for what a control group sends
path_cgroup() {
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mkdir -p /sys/fs/cgroup/paths
	echo $$ >/sys/fs/cgroup/paths/cgroup.procs
	plain
	single a veth
	marked 'udp dport 51822 socket cgroupv2 level 1 "paths"'
	traffic=("${default_traffic[@]:1}")
}

# entry: nfqueue: a program accepts each packet that goes out and comes in
path_nfqueue() {
	local ns hook
	plain
	modprobe nfnetlink_queue
	for ns in a b; do
		hook=$([[ $ns == a ]] && echo output || echo input)
		rules $ns <<<"table inet w {
			chain o {
				type filter hook $hook priority 0;
				udp dport 51822 queue num 0
			}
		}"
		"$WG_PATHS_TRAFFIC" nfqueue $ns $ns - >"$work/queue-$ns" &
		queue[$ns]=$!
		eventually 5 grep -q up "$work/queue-$ns"
	done
	afterwards=queued
}
declare -A queue
queued() {
	local ns
	for ns in a b; do
		kill "${queue[$ns]}"
		wait "${queue[$ns]}"
		tail -n 1 "$work/queue-$ns"
	done
}

# entry: flowtable: a flow table at a host in between
path_flowtable() {
	routed
	rules m <<-'END'
		table inet w {
			flowtable f {
				hook ingress priority 0
				devices = { veth, far }
			}
			chain f {
				type filter hook forward priority 0
				meta l4proto udp flow add @f
			}
		}
	END
}

# entry: redirect: of a range of ports at the receiver
path_redirect() {
	plain
	rules b <<-'END'
		table ip w {
			chain p {
				type nat hook prerouting priority dstnat
				udp dport 40000-50000 redirect to :51822
			}
		}
	END
	far_port=45678
}

# entry: masquerade core=yes: with a random port, at a host in between
path_masquerade() {
	routed
	rules m <<-'END'
		table ip w {
			chain p {
				type nat hook postrouting priority srcnat
				oifname far masquerade fully-random
			}
		}
	END
}

# entry: masquerade-near: at the sender itself
path_masquerade_near() {
	plain
	rules a <<-'END'
		table ip w {
			chain p {
				type nat hook postrouting priority srcnat
				oifname veth masquerade random
			}
		}
	END
}

# entry: mirred-mirror: a copy of all goes to another device
path_mirred_mirror() {
	second_pair
	tc -n a qdisc add dev veth clsact
	tc -n a filter add dev veth egress matchall action mirred egress mirror dev two
}

# entry: mirred-redirect: what should go to one device goes to another one
path_mirred_redirect() {
	local address
	second_pair
	address=$(in_ns b cat /sys/class/net/veth/address)
	ip -n b link set two address "$address"
	tc -n a qdisc add dev veth clsact
	tc -n a filter add dev veth egress protocol ip flower ip_proto udp action mirred egress redirect dev two
}

# second_pair: a second pair beside the plain one, without addresses.
second_pair() {
	plain
	modprobe -a act_mirred cls_matchall cls_flower
	ip link add two netns a type veth peer name two netns b
	ip -n a link set two up
	ip -n b link set two up
}

# entry: xdp-generic: a program of XDP on the receiver's device, generic
path_xdp_generic() {
	plain
	ip -n b link set veth xdpgeneric object "$WG_PATHS_BPF" section xdp
}

# entry: xdp-generic-inside: on both interfaces of the tunnel
path_xdp_generic_inside() {
	plain
	single a veth
	single b veth
	gro b veth
	inside=xdp_inside
}
xdp_inside() {
	ip -n a link set wg0 xdpgeneric object "$WG_PATHS_BPF" section xdp
	ip -n b link set wg0 xdpgeneric object "$WG_PATHS_BPF" section xdp
}

# entry: pedit: tc sets the time to live
path_pedit() {
	plain
	modprobe -a act_pedit act_csum cls_matchall
	tc -n a qdisc add dev veth clsact
	tc -n a filter add dev veth egress protocol ip matchall action pedit ex munge ip ttl set 7 pipe action csum ip
}

# entry: rps: receive packet steering at the receiver
path_rps() {
	plain
	single a veth
	gro b veth
	in_ns b bash -c "echo $(printf %x $(((1 << $(nproc)) - 1))) | tee /sys/class/net/veth/queues/rx-*/rps_cpus"
}
