#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: two namespaces, joined by a veth pair, talk through a tunnel.

. "$(dirname "$0")/../../selftests/lib.sh"

# show TEXT COMMAND…: one line with the time it took; what the command prints last stands below.
show() {
	local text=$1 begin output status=0
	shift
	begin=${EPOCHREALTIME/./}
	output=$("$@" 2>&1) || status=$?
	local tenths=$(((${EPOCHREALTIME/./} - begin) / 100000))
	if ((status)); then
		printf '%-60s%5d.%d s  FAILED\n%s\n' "$text" $((tenths / 10)) $((tenths % 10)) "$output"
		echo "--- kernel log"
		dmesg | tail -n 15
		exit 1
	fi
	printf '%-60s%5d.%d s\n' "$text" $((tenths / 10)) $((tenths % 10))
	[[ ! $output ]] || printf '    %s\n' "${output//$'\n'/$'\n'    }"
}

interfaces() {
	local ns
	for ns in left right; do
		ip -n "$ns" link add wg0 type wireguard
		ip -n "$ns" link set wg0 mtu 1420
	done
}

# settings OWN-KEY PEER-KEY PORT ENDPOINT NUMBER-OF-PEER
settings() {
	cat <<-END
		[Interface]
		PrivateKey = $1
		ListenPort = $3
		[Peer]
		PublicKey = $2
		Endpoint = $4
		AllowedIPs = 192.168.7.$5/32, fd77::$5/128
	END
}

configure() {
	local left right left_public right_public ns host=1
	left=$(wg genkey)
	right=$(wg genkey)
	left_public=$(wg pubkey <<<"$left")
	right_public=$(wg pubkey <<<"$right")
	settings "$left" "$right_public" 51820 10.0.0.2:51821 2 >"$work/left.conf"
	settings "$right" "$left_public" 51821 10.0.0.1:51820 1 >"$work/right.conf"
	for ns in left right; do
		in_ns "$ns" wg setconf wg0 "$work/$ns.conf"
		ip -n "$ns" addr add "192.168.7.$host/24" dev wg0
		ip -n "$ns" addr add "fd77::$host/64" dev wg0 nodad
		ip -n "$ns" link set wg0 up
		host=2
	done
}

six_outside() {
	in_ns left wg set wg0 peer "$(in_ns right wg show wg0 public-key)" endpoint '[fd00:0::2]:51821'
}

ping_inside() {
	in_ns left ping -q -c 3 -i 0.2 -W 5 "$1" | sed -n '/packets\|rtt/p'
}

throughput() {
	in_ns right iperf3 --server --one-off --daemon --pidfile /run/iperf3.pid
	eventually 5 in_ns right sh -c 'ss -Hltn sport = 5201 | grep -q .' || fail "the iperf3 server does not start"
	in_ns left iperf3 --client 192.168.7.2 --time 3 --format m | grep -E 'sender|receiver'
}

mark_log demo
show "load wireguard, after what it depends on" load_module
show "two namespaces joined by veth" joined left right
show "ip link add wg0 type wireguard, in each" interfaces
show "wg setconf, addresses, up" configure
show "ping 192.168.7.2 (IPv4 in IPv4)" ping_inside 192.168.7.2
show "ping fd77::2 (IPv6 in IPv4)" ping_inside fd77::2
show "endpoint changes to IPv6" six_outside
show "ping 192.168.7.2 (IPv4 in IPv6)" ping_inside 192.168.7.2
show "ping fd77::2 (IPv6 in IPv6)" ping_inside fd77::2
show "iperf3: one TCP stream through the tunnel (emulated CPU)" throughput
for ns in left right; do
	echo
	echo "\$ wg show        # $ns"
	in_ns "$ns" wg show | sed 's/^/    /'
done
echo
show "unload" unload_module
show "kernel log is clean" check_clean_log
show "every interface, peer and key pair is gone" check_balance
