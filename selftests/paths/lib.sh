# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # for run.sh, and from ../lib.sh
# What the entries of the matrix share; see run.sh. An entry is a function "path_NAME" in one of the
# files of the folder "entries", where NAME has "_" for "-", with a line right above it:
#
#	# entry: NAME [KEY=VALUE…]: what it is
#
# It makes a path from the namespace a to the namespace b, and what is not as below it says by these
# variables. Nothing has to be undone, as the namespaces go. KEYs:
#
#	seeds=N       N turns of each driver with $seed from 1 on, for a path that draws random numbers
#	boot=own      not in a machine with other entries
#	group=WORD    a machine for these entries (default: the name of the file)
#	cards=MODEL   in a machine with two network cards of that kind (with group=)
#	core=yes      one of the dozen that "make test" runs

# The namespaces of the tunnel's ends, and of the traffic's; the address that it goes to, and one
# that answers pings if that does not.
near=a far=b
source=a target=b towards=192.168.7.2 asked=''
# What each end has as the other's endpoint.
near_outside=10.0.0.1 far_outside=10.0.0.2 far_port=51822
# Where the interfaces are made, if not where they are used, and their fwmark.
born='' mark=''
# A command for when the interfaces are up, and one for when there was an answer through the tunnel.
inside='' late=''
# The tunnel's MTU; empty: what the route to the other end has room for.
tunnel_mtu=''
# What is sent: lines of words for traffic.c, where "FROM TO ADDRESS" is left out.
default_traffic=(
	"tcp bytes=3000000"
	"datagrams rounds=40 shape=1x1200,8x1200,1x300,1x1200 gap=2000"
	"datagrams rounds=1000 shape=1x1372"
)
traffic=()
# A device of the target's namespace; the report has how many frames larger than "frame" a packet
# socket sees there.
watched='' frame=1600
# A command that tells more, as KEY=VALUE, when all was sent.
afterwards=''

# --- paths

# pair A B [NET [DEVICE]]: see joined of ../lib.sh, without its pings.
pair() {
	local a=$1 b=$2 net=${3:-0} device=${4:-veth} ns host
	for ns in "$a" "$b"; do [[ -e /run/netns/$ns ]] || namespace "$ns"; done
	ip link add "$device" netns "$a" type veth peer name veth netns "$b"
	for host in 1 2; do
		ip -n "$a" addr add "10.$net.0.$host/24" dev "$device"
		ip -n "$a" addr add "fd00:$net::$host/64" dev "$device" nodad
		ip -n "$a" link set "$device" up
		a=$b
		device=veth
	done
}

# plain: one veth pair.
plain() {
	pair a b
}

# over_ipv6: the tunnel's ends are each other's endpoints by IPv6.
over_ipv6() {
	near_outside='[fd00:0::1]' far_outside='[fd00:0::2]'
}

# routed: a host m in between; its device towards a is veth, towards b "far".
routed() {
	pair a m
	pair m b 1 far
	ip -n a route add 10.1.0.0/24 via 10.0.0.2
	ip -n b route add 10.0.0.0/24 via 10.1.0.1
	in_ns m sysctl -qw net.ipv4.ip_forward=1
	far_outside=10.1.0.2
}

# gateway: the sender s is behind the tunnel's near end.
gateway() {
	pair a b
	pair a s 2 lan
	ip -n s route add 192.168.7.0/24 via 10.2.0.1
	in_ns a sysctl -qw net.ipv4.ip_forward=1
	source=s
	behind_near=10.2.0.0/24
}

# single NS DEVICE…: takes one datagram at a time.
single() {
	local ns=$1 device
	shift
	for device; do in_ns "$ns" ethtool -K "$device" tso off gso off tx-udp-segmentation off; done
}

# gro NS DEVICE
gro() {
	in_ns "$1" ethtool -K "$2" gro on
}

# qdisc NS DEVICE WORDS…
qdisc() {
	tc -n "$1" qdisc add dev "$2" root "${@:3}"
}

# over DEVICE NET [-link=BELOW] WORDS…: a device of one kind ("link add … type WORDS") in a and b
# each, where LOCAL and REMOTE (or LOCAL6, REMOTE6) stand for the addresses of the veth pair, OWN
# and OTHER for 1 and 2, or 2 and 1. It has 10.NET.0.OWN, which is the endpoint then.
over() {
	local device=$1 net=$2 ns host=1 words link=()
	shift 2
	if [[ $1 == -link=* ]]; then
		link=(link "${1#*=}")
		shift
	fi
	for ns in a b; do
		words="$*"
		words=${words//LOCAL6/fd00:0::$host}
		words=${words//REMOTE6/fd00:0::$((3 - host))}
		words=${words//OWN/$host}
		words=${words//OTHER/$((3 - host))}
		words=${words//LOCAL/10.0.0.$host}
		words=${words//REMOTE/10.0.0.$((3 - host))}
		# shellcheck disable=SC2086 # several words
		ip -n $ns link add "${link[@]}" name "$device" type $words
		ip -n $ns addr add "10.$net.0.$host/24" dev "$device"
		ip -n $ns link set "$device" up
		host=2
	done
	near_outside=10.$net.0.1 far_outside=10.$net.0.2
}

# rules NS: nftables rules from standard input. They may name control groups, which "ip netns exec"
# would hide.
rules() {
	nsenter --net="/run/netns/$1" nft -f -
}

# nft_counter NS TABLE NAME: packets of a counter.
nft_counter() {
	in_ns "$1" nft list counter inet "$2" "$3" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# bpf NS DEVICE egress|ingress SECTION: a program of programs.c.
bpf() {
	tc -n "$1" qdisc replace dev "$2" clsact
	tc -n "$1" filter add dev "$2" "$3" bpf direct-action object-file "$WG_PATHS_BPF" section "$4"
}

# --- the tunnel

# mtu_towards NS ADDRESS: the MTU of the way there.
mtu_towards() {
	local route device
	route=$(ip -n "$1" -o route get "${2//[\[\]]/}")
	if [[ $route =~ mtu\ ([0-9]+) ]]; then
		echo "${BASH_REMATCH[1]}"
		return
	fi
	[[ $route =~ dev\ ([^ ]+) ]]
	device=${BASH_REMATCH[1]}
	in_ns "$1" cat "/sys/class/net/$device/mtu"
}

# new_interface NS NUMBER: see interface of ../lib.sh; its socket is in $born, if that is set.
new_interface() {
	local home=${born:-$1}
	keys "$1"
	ip -n "$home" link add "new$2" type "${kind[$1]}"
	ip -n "$home" link set "new$2" netns "$1" name wg0
	wg_in "$1" set wg0 private-key /dev/stdin listen-port $((51820 + $2)) ${mark:+fwmark $mark} <<<"${private[$1]}"
	ip -n "$1" addr add "192.168.7.$2/24" dev wg0
	ip -n "$1" addr add "fd77::$2/64" dev wg0 nodad
}

# ends: interfaces of the driver in $near and $far, which are each other's peers. Their first
# handshake is over.
ends() {
	local mtu
	new_interface "$near" 1
	new_interface "$far" 2
	if [[ ! $tunnel_mtu ]]; then
		mtu=$(mtu_towards "$near" "$far_outside")
		((mtu <= 9000)) || mtu=9000
		tunnel_mtu=$(((mtu - 80) / 4 * 4))
	fi
	ip -n "$near" link set wg0 mtu "$tunnel_mtu"
	ip -n "$far" link set wg0 mtu "$tunnel_mtu"
	peer "$near" "$far" allowed-ips 192.168.7.2/32,fd77::2/128 endpoint "$far_outside:$far_port"
	peer "$far" "$near" allowed-ips "192.168.7.1/32,fd77::1/128${behind_near:+,$behind_near}" endpoint "$near_outside:51821"
	ip -n "$near" link set wg0 up
	ip -n "$far" link set wg0 up
	[[ ! ${behind_near:-} ]] || ip -n "$far" route add "$behind_near" dev wg0
}
