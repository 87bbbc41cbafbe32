# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Programs and what they send through the tunnel. The path is a wire as real cards make it, if
# nothing else is said.

# wire: without segmentation offload, but with GRO.
wire() {
	plain
	single a veth
	single b veth
	gro a veth
	gro b veth
}

# entry: tcp-ipv6: IPv6 inside
path_tcp_ipv6() {
	wire
	towards=fd77::2
}

# entry: tcp-streams: four streams
path_tcp_streams() {
	wire
	traffic=("tcp bytes=1000000 streams=4")
}

# entry: tcp-mss-536: small segments
path_tcp_mss_536() {
	wire
	traffic=("tcp bytes=2000000 mss=536")
}

# entry: small-writes: of 200 bytes, without Nagle's algorithm
path_small_writes() {
	wire
	traffic=("tcp bytes=1000000 write=200 nodelay=1")
}

# entry: connections: many short ones
path_connections() {
	wire
	traffic=("connections count=150 answer=8000")
}

# entry: connections-veth: over a veth pair as it is
path_connections_veth() {
	plain
	traffic=("connections count=150 answer=30000")
}

# entry: sendfile: pages of a file
path_sendfile() {
	wire
	traffic=("tcp bytes=3000000 sendfile=1")
}

# entry: splice: pages of a file by way of a pipe
path_splice() {
	wire
	traffic=("tcp bytes=3000000 splice=1")
}

# entry: zerocopy: MSG_ZEROCOPY
path_zerocopy() {
	wire
	traffic=("tcp bytes=3000000 zerocopy=1")
}

# entry: ktls: TLS by the kernel inside
path_ktls() {
	wire
	modprobe tls
	traffic=("tcp bytes=1000000 ktls=1")
}

# entry: sctp
path_sctp() {
	wire
	modprobe sctp
	traffic=("tcp bytes=1000000 write=8000 sctp=1")
}

# entry: udp-64: datagrams of 64 bytes
path_udp_64() {
	wire
	traffic=("datagrams rounds=4000 shape=1x64")
}

# entry: udp-sizes: all sizes up to several fragments
path_udp_sizes() {
	wire
	traffic=("datagrams rounds=100 shape=1x64,1x512,1x1372,1x1400,1x4000,1x20000,1x65000,1x9 sndbuf=4000000 gap=3000")
}

# entry: udp-65000: inner fragments
path_udp_65000() {
	wire
	traffic=("datagrams rounds=60 shape=1x65000")
}

# entry: udp-segment core=yes: UDP_SEGMENT and UDP_GRO
path_udp_segment() {
	wire
	traffic=("datagrams rounds=100 shape=40x1200 gro=1" "datagrams rounds=100 shape=3x1300,1x700,9x256 gro=1 gap=1000")
}

# entry: udp-segment-veth: over a veth pair as it is
path_udp_segment_veth() {
	plain
	traffic=("datagrams rounds=100 shape=40x1200 gro=1" "datagrams rounds=100 shape=3x1300,1x700,9x256 gap=1000")
}

# entry: udp-segment-ipv6
path_udp_segment_ipv6() {
	wire
	towards=fd77::2
	traffic=("datagrams rounds=100 shape=40x1200 gro=1" "datagrams rounds=100 shape=3x1300,1x700,9x256 gap=1000")
}

# entry: sendmmsg: several datagrams with one call
path_sendmmsg() {
	wire
	traffic=("datagrams rounds=200 shape=1x1200,1x1200,1x1200,1x1200,1x700,1x1200,1x1200,1x64 mmsg=1")
}

# entry: clients: an unconnected server with fifty clients
path_clients() {
	plain
	traffic=("datagrams clients=50 rounds=500 shape=4x1200" "datagrams clients=50 rounds=1000 shape=1x1200")
}

# entry: timestamps: SO_TIMESTAMPING of what is sent
path_timestamps() {
	plain
	single a veth
	traffic=("datagrams rounds=100 shape=1x1000,1x1000,1x1000 timestamps=1 gap=1000")
}

# entry: txtime: times to send at, with fq below
path_txtime() {
	plain
	qdisc a veth fq
	traffic=("datagrams rounds=100 shape=1x1000,1x1000 txtime=3000 gap=1000")
}

# entry: big-tcp: forwarded packets of more than 66 kB
path_big_tcp() {
	local ns device
	gateway
	for ns in a s; do
		device=$([[ $ns == a ]] && echo lan || echo veth)
		ip -n $ns link set "$device" gso_max_size 150000 gso_ipv4_max_size 150000 gro_max_size 150000 gro_ipv4_max_size 150000
	done
	traffic=("tcp bytes=8000000 watch=lan watch_in=a frame=66000")
}

# entry: multicast: datagrams to a group
path_multicast() {
	wire
	inside=joined_group
	towards=239.1.2.3 asked=192.168.7.2
	traffic=("datagrams rounds=300 shape=1x1200 group=1" "datagrams rounds=100 shape=8x1200 group=1 gap=1000")
}
joined_group() {
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128,239.0.0.0/8
	ip -n a link set wg0 multicast on
	ip -n b link set wg0 multicast on
	ip -n a route add 239.0.0.0/8 dev wg0
	ip -n b route add 239.0.0.0/8 dev wg0
}

# entry: gre-inside
path_gre_inside() {
	wire
	inside="inner_tunnel gre"
	towards=10.9.0.2
}

# entry: vxlan-inside
path_vxlan_inside() {
	wire
	inside="inner_tunnel vxlan id 7 dstport 4789"
	towards=10.9.0.2
}

# inner_tunnel WORDS…: one through ours.
inner_tunnel() {
	local ns host=1
	modprobe -a ip_gre vxlan
	for ns in a b; do
		ip -n $ns link add inner type "$@" local 192.168.7.$host remote 192.168.7.$((3 - host))
		ip -n $ns addr add 10.9.0.$host/24 dev inner
		ip -n $ns link set inner up
		host=2
	done
}

# entry: esp-inside
path_esp_inside() {
	wire
	inside=inner_esp
}
inner_esp() {
	local ns own=1 other=2 from to spi
	modprobe -a esp4 xfrm_user
	for ns in a b; do
		for spi in 1 2; do
			from=$spi to=$((3 - spi))
			ip -n $ns xfrm state add src 192.168.7.$from dst 192.168.7.$to proto esp spi $((300 + spi)) mode transport \
				aead 'rfc4106(gcm(aes))' 0x0123456789abcdef0123456789abcdef01234567 128
		done
		ip -n $ns xfrm policy add src 192.168.7.$own dst 192.168.7.$other dir out tmpl proto esp mode transport
		ip -n $ns xfrm policy add src 192.168.7.$other dst 192.168.7.$own dir in tmpl proto esp mode transport
		own=2 other=1
	done
}

# entry: gateway: forwarded traffic, without GRO at the sender's side
path_gateway() {
	gateway
	single a veth
	single s veth
}

# entry: gateway-gro: forwarded traffic that GRO has put together
path_gateway_gro() {
	gateway
	single a veth
	single s veth
	gro a lan
	gro b veth
}

# entry: gateway-veth: forwarded traffic that comes in large packets
path_gateway_veth() {
	gateway
}

# entry: relay: from one peer to another one, within one interface
path_relay() {
	local ns host
	pair a m
	pair m b 1 far
	no_ends=yes
	for ns in a b m; do
		host=${hosts[$ns]}
		new_interface $ns "$host"
		ip -n $ns link set wg0 mtu 1420 up
	done
	in_ns m sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wg0.send_redirects=0
	peer a m allowed-ips 192.168.7.0/24 endpoint 10.0.0.2:51823
	peer b m allowed-ips 192.168.7.0/24 endpoint 10.1.0.1:51823
	peer m a allowed-ips 192.168.7.1/32 endpoint 10.0.0.1:51821
	peer m b allowed-ips 192.168.7.2/32 endpoint 10.1.0.2:51822
}
declare -A hosts=([a]=1 [b]=2 [m]=3)
