#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 240
# Datagrams that a device receives together come up the stack together, if they are for this
# machine. That makes no difference to anybody, whatever happens to them on the way. C takes each
# alone, and must pass all of this as well.

. "$(dirname "$0")/../lib.sh"

# transfer [BYTES]: sends that much of the data (default: all) through the tunnel from a to b,
# captures what comes to the router and to b, and compares. Nothing has to be sent twice.
transfer() {
	local before
	before=$(in_ns a nstat -asz TcpRetransSegs)
	# By this name wherever the datagrams come out of a VLAN, too.
	capture router veth "$work/routed" -w - "udp and (src host 10.0.0.1 or (vlan and src host 10.2.0.1))"
	capture b veth "$work/here" -w - "udp and (src host 10.0.0.1 or (vlan and src host 10.2.0.1))"
	head -c "${1:-250000}" "$work/data" >"$work/sent"
	carry a b 192.168.7.2
	captured "$work/routed"
	captured "$work/here"
	[[ $(in_ns a nstat -asz TcpRetransSegs) == "$before" ]] ||
		fail "line ${BASH_LINENO[0]}: lost packets: $(in_ns a nstat -asz TcpRetransSegs)"
}

# together WHERE: how many packets of a capture are longer than any datagram.
together() {
	tcpdump -n -r "$work/$1" 'greater 1600' 2>/dev/null | wc -l
}

# came_together WHERE: whether the capture is as it should be with this module.
came_together() {
	on_c || (($(together "$1") > 0)) || fail "$1: nothing came together"
}

# came_alone WHERE
came_alone() {
	(($(together "$1") == 0)) || fail "$1: $(together "$1") came together"
}

# sums right|wrong: how many packets that came to b have such a UDP checksum.
sums() {
	local -A words=([right]='udp sum ok' [wrong]='bad udp cksum')
	tcpdump -n -vv -r "$work/here" 2>/dev/null | grep -c "${words[$1]}" || true
}

# alone NS DEVICE: the device sends datagrams one by one with their checksums, and puts together
# what it receives.
alone() {
	in_ns "$1" ethtool -K "$2" tso off gso off tx-udp-segmentation off tx off txvlan off gro on
}

# vlan NS DEVICE ADDRESS: in VLAN 5 of the device.
vlan() {
	ip -n "$1" link add link "$2" name "$2.5" type vlan id 5
	ip -n "$1" addr add "$3/24" dev "$2.5"
	ip -n "$1" link set "$2.5" up
}

# rules NS [TEXT]: in a table of their own, instead of those that were there.
rules() {
	in_ns "$1" nft "table ip test; delete table ip test"
	[[ ! ${2:-} ]] || in_ns "$1" nft "table ip test { $2; }"
}

# looked_at DEVICE: sends while a program of b looks at more than the first one of what the device
# receives, which moves the second one or a part of it to that buffer.
looked_at() {
	local program
	: >"$work/program"
	ip netns exec b python3 -c 'import ctypes, socket, struct, sys, time
def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, 128)
    result = ctypes.CDLL(None, use_errno=True).syscall(321, command, attributes, 128)
    assert result >= 0, ctypes.get_errno()
    return result
# if (skb->len >= 4000)
#     bpf_skb_pull_data(skb, (bpf_get_prandom_u32() & 1 ? 2000 : 2 * skb->gso_size) + 42);
# return TCX_PASS;
program = b"".join(struct.pack("<BBhi", *i) for i in [
    (0xbf, 0x16, 0, 0), (0x61, 0x13, 0, 0), (0xa5, 0x03, 9, 4000), (0x85, 0, 0, 7), (0xbf, 0x61, 0, 0),
    (0x61, 0x12, 176, 0), (0x0f, 0x22, 0, 0), (0x57, 0x00, 0, 1), (0x15, 0x00, 1, 0), (0xb7, 0x02, 0, 2000),
    (0x07, 0x02, 0, 42), (0x85, 0, 0, 39), (0xb7, 0, 0, 0), (0x95, 0, 0, 0)])
code, terms = ctypes.create_string_buffer(program), ctypes.create_string_buffer(b"GPL")
# BPF_PROG_LOAD of BPF_PROG_TYPE_SCHED_CLS, BPF_LINK_CREATE for BPF_TCX_INGRESS
loaded = bpf(5, struct.pack("<IIQQ", 3, len(program) // 8, ctypes.addressof(code), ctypes.addressof(terms)))
link = bpf(28, struct.pack("<IIII", loaded, socket.if_nametoindex(sys.argv[1]), 46, 0))
print("ready", flush=True)
while True: time.sleep(1000)' "$1" >"$work/program" &
	program=$!
	eventually 10 grep -q ready "$work/program" || fail "no program"
	transfer
	kill "$program"
	wait "$program" || true
}

head -c 250000 /dev/urandom >"$work/data"
load_module
# a - router - b. The router has a tunnel of its own, on the port that b uses.
joined a router
joined router b 1 far
in_ns router sysctl -qw net.ipv4.ip_forward=1
ip -n a route add 10.1.0.0/24 via 10.0.0.2
ip -n b route add 10.0.0.0/24 via 10.1.0.1
for end in "a veth" "router veth" "router far" "b veth"; do
	# shellcheck disable=SC2086 # two words
	alone $end
done
# What is sent twice was lost, however slow the machine is.
in_ns a sysctl -qw net.ipv4.tcp_early_retrans=0 net.ipv4.tcp_rto_min_us=10000000
tunnel a b
peer a b endpoint 10.1.0.2:51822
peer b a endpoint 10.0.0.1:51821
interface router 2
ip -n router addr flush dev wg0
ip -n router link set wg0 up
answers a 192.168.7.2 || fail "the first ping"

# By way of a machine with a tunnel of its own: what is not for it passes through as it came.
transfer
came_alone routed
came_together here
(($(tcpdump -n -r "$work/here" 'ip[8] != 63' 2>/dev/null | wc -l) == 0)) || fail "hops were not counted"
is_at b a 10.0.0.1:51821 || fail "the peer is at $(shown b endpoints a)"

# A raw socket gets a copy of each of them, and is read when all is done. The copies are what was
# captured.
mkfifo "$work/now"
in_ns b python3 - "$work/here" "$work/now" >"$work/raw" <<'END' &
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
print("ready", flush=True)
open(sys.argv[2]).read()
raw.setblocking(False)
copies, packets = [], []
try:
    while True:
        copies.append(raw.recv(1 << 16))
except BlockingIOError:
    pass
with open(sys.argv[1], "rb") as file:
    file.seek(24)
    while header := file.read(16):
        packets.append(file.read(struct.unpack("<12xI", header)[0])[14:])
# There may be others before, after and between these: a busy capture misses some.
rest = iter(copies)
if not all(packet in rest for packet in packets):
    sys.exit(f"of {len(packets)} packets {sum(packet in copies for packet in packets)} are among {len(copies)} copies")
END
raw=$!
eventually 10 grep -q ready "$work/raw" || fail "no raw socket"
transfer
came_together here
echo >"$work/now"
wait "$raw" || fail "reading the copies"

# Their source is translated right before they reach the socket.
rules b "chain way { type nat hook input priority 100; ip saddr 10.0.0.1 udp dport 51822 snat to 10.1.0.77; }"
in_ns a wg set wg0 listen-port 51899
transfer
came_together here
is_at b a 10.1.0.77:51899 || fail "the peer is at $(shown b endpoints a)"
rules b

# They are for the router, which then passes them on to b. There the checksums are right.
rules router "chain way { type nat hook prerouting priority -100; ip daddr 10.0.0.2 udp dport 51822 dnat to 10.1.0.2; }"
in_ns b ethtool -K veth gro off
in_ns a wg set wg0 listen-port 51821
peer a b endpoint 10.0.0.2:51822
transfer
came_together routed
came_alone here
(($(sums right) >= 170 && $(sums wrong) == 0)) || fail "$(sums wrong) wrong checksums, $(sums right) right ones"
rules router
in_ns b ethtool -K veth gro on
peer a b endpoint 10.1.0.2:51822

# Every second one has met congestion: these are not like the others.
for ns in a b; do in_ns "$ns" sysctl -qw net.ipv4.tcp_ecn=1; done
rules router "chain way { type filter hook forward priority 0; udp dport 51822 ip id & 1 == 0 ip ecn set ce; }"
transfer 50000
came_alone here
rules router

# All have met congestion at the last moment: every one tells so.
rules b "chain way { type filter hook input priority 0; udp dport 51822 ip ecn set ce; }
	chain inner { type filter hook input priority 0; iifname wg0 ip ecn ect0 counter; }"
transfer 50000
came_together here
counter=$(in_ns b nft list chain ip test inner)
[[ $counter == *"ect0 counter packets 0 "* ]] || fail "some forgot about it: $counter"
rules b

# A program looks at what the device receives. GRO would show it large packets.
looked_at veth
came_alone here

# Their link headers have a tag.
if debug_kernel; then
	left_out tagged-link-headers "kernels built for debugging know of none"
	exit 0
fi
vlan a veth 10.2.0.1
vlan router veth 10.2.0.2
vlan router far 10.3.0.1
vlan b veth 10.3.0.2
ip -n a route add 10.3.0.0/24 via 10.2.0.2
ip -n b route add 10.2.0.0/24 via 10.3.0.1
peer a b endpoint 10.3.0.2:51822
transfer
came_alone routed
came_together here
is_at b a 10.2.0.1:51821 || fail "the peer is at $(shown b endpoints a)"

# A program looks at them behind the VLAN, where they are together.
looked_at veth.5
came_together here
