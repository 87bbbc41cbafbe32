# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # $work, $kind, $device and so on are those of selftests/lib.sh
# What lies between the ends of a path that is measured: left, where the traffic starts, and right.

. "$WG_TOP/tools/bench/vpns.sh"

# veths NS: the names of its ends of veth pairs.
veths() {
	ip -n "$1" -o link show type veth | sed 's/^[0-9]*: \([^@]*\)@.*/\1/'
}

wire() {
	local ns link
	[[ $1 != veth ]] || return 0
	for ns in $(ip netns list | cut -d ' ' -f 1); do
		for link in $(veths "$ns"); do
			in_ns "$ns" ethtool -K "$link" tso off gso off tx-udp-segmentation off
			if [[ $1 == gro ]]; then
				in_ns "$ns" ethtool -K "$link" gro on
			fi
		done
	done
}

# implementation WORD NS: what the namespace's interface is made by.
implementation() {
	case $1 in
	wireguarc) kind[$2]=wireguarc ;;
	go)
		kind[$2]=wireguard_go
		device[$2]=go-$2
		;;
	esac
}

shape_direct() {
	implementation "$1" left
	implementation "$2" right
	joined left right
	if [[ $(type -t "vpn_$1") ]]; then
		"vpn_$1"
	else
		tunnel left right "$3"
	fi
}

# Plain from left to gate, then through the tunnel to right.
shape_gateway() {
	implementation "$1" gate
	implementation "$2" right
	joined gate right
	joined gate left 1 lan
	tunnel gate right "$3"
	peer right gate allowed-ips 192.168.7.1/32,fd77::1/128,10.1.0.0/24
	ip -n right route add 10.1.0.0/24 dev wg0
	ip -n left route add 192.168.7.0/24 via 10.1.0.1
	in_ns gate sysctl -qw net.ipv4.ip_forward=1
}

# A router between the ends, where packets wait 10 ms in each direction, and some are lost: the same
# ones in each run.
shape_netem() {
	local link loss seed
	IFS=: read -r loss seed <<<"$4"
	implementation "$1" left
	implementation "$2" right
	joined left router
	joined router right 1 far
	tunnel left right 4
	peer left right endpoint 10.1.0.2:51822
	peer right left endpoint 10.0.0.1:51821
	ip -n left route add 10.1.0.0/24 via 10.0.0.2
	ip -n right route add 10.0.0.0/24 via 10.1.0.1
	in_ns router sysctl -qw net.ipv4.ip_forward=1
	for link in veth far; do
		tc -n router qdisc add dev $link root netem limit 10000 delay 10ms loss "$loss%" seed $((seed++))
	done
}

# On one interface of relay from peer to peer.
shape_relay() {
	implementation "$1" left
	implementation "$1" relay
	implementation "$2" right
	joined left relay
	joined relay right 1 far
	interface left 1
	interface right 2
	interface relay 3
	peer left relay allowed-ips 192.168.7.0/24,fd77::/64 endpoint 10.0.0.2:51823
	peer right relay allowed-ips 192.168.7.0/24,fd77::/64 endpoint 10.1.0.1:51823
	peer relay left allowed-ips 192.168.7.1/32,fd77::1/128 endpoint 10.0.0.1:51821
	peer relay right allowed-ips 192.168.7.2/32,fd77::2/128 endpoint 10.1.0.2:51822
	for ns in left relay right; do ip -n $ns link set wg0 up; done
	in_ns relay sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.wg0.send_redirects=0
}

# A tunnel, and the one that is measured inside of it.
shape_nested() {
	local here there=right number=1
	implementation "$1" left
	implementation "$2" right
	joined left right
	device=([left]=outer [right]=outer)
	tunnel left right "$3"
	for here in left right; do
		wg_in $here set outer listen-port $((51830 + number))
		peer $here $there allowed-ips 192.168.6.0/24 endpoint "10.0.0.$((3 - number)):$((51833 - number))"
		ip -n $here addr flush dev outer
		ip -n $here addr add "192.168.6.$number/24" dev outer
		there=left
		number=2
	done
	device=()
	tunnel left right
	peer left right endpoint 192.168.6.2:51822
	peer right left endpoint 192.168.6.1:51821
	# Less what the outer one takes.
	for here in left right; do ip -n $here link set wg0 mtu 1340; done
}

# As many peers of right's wg0, each on an interface of its own in left.
shape_hub() {
	local number key count=$4
	implementation "$1" left
	implementation "$2" right
	joined left right
	interface right 2
	for ((number = 1; number <= count; number++)); do
		key=$(wg genkey)
		echo "$key" >"$work/key$number"
		printf '[Peer]\nPublicKey = %s\nAllowedIPs = 192.168.8.%d/32\n' "$(wg pubkey <<<"$key")" "$number"
	done >"$work/peers"
	for ((number = 1; number <= count; number++)); do
		echo "link add wg$number type ${kind[left]:-wireguard}"
		echo "addr add 192.168.8.$number/32 dev wg$number"
		echo "link set wg$number up"
		echo "route add 192.168.7.2 dev wg$number src 192.168.8.$number metric $number"
	done | ip -n left -batch -
	wg_in right addconf wg0 "$work/peers"
	for ((number = 1; number <= count; number++)); do
		wg_in left set "wg$number" private-key "$work/key$number" peer "${public[right]}" endpoint 10.0.0.2:51822 \
			allowed-ips 192.168.7.2/32
	done
	ip -n right link set wg0 up
	ip -n right route add 192.168.8.0/24 dev wg0
	in_ns left sysctl -qw net.ipv4.conf.all.rp_filter=0
}

# rules COUNT: in each namespace, for what comes in, goes out and passes, COUNT rules that do not
# match, and conntrack.
rules() {
	local ns hook n
	(($1)) || return 0
	{
		echo "table inet bench {"
		for hook in input output forward; do
			echo "chain $hook { type filter hook $hook priority 0; ct state invalid drop;"
			for ((n = 0; n < $1; n++)); do echo "ip saddr 203.0.113.$n udp dport $((2000 + n)) drop;"; done
			echo "}"
		done
		echo "}"
	} >"$work/rules"
	for ns in $(ip netns list | cut -d ' ' -f 1); do in_ns "$ns" nft -f "$work/rules"; done
}

# path LEFT RIGHT WIRE FAMILY SHAPE RULES: all of it; the modules are loaded.
path() {
	if [[ $5 == none ]]; then
		namespace left
		return
	fi
	"shape_${5%%:*}" "$1" "$2" "$4" "${5#*:}"
	wire "$3"
	rules "$6"
	# In user space a handshake may come a little later.
	eventually 20 answers left 192.168.7.2 || fail "no answer through the tunnel"
}
