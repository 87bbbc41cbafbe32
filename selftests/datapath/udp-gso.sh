#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 240
# Datagrams go down the stack together, and come up together, unless that is switched off. On a wire
# that takes one at a time each looks as if it had been sent alone, and nothing is counted
# differently. C does neither.

. "$(dirname "$0")/../lib.sh"

skip_on_c "sends no GSO packets"

# together_is NS FLAG on|off: a switch of the interface.
together_is() {
	in_ns "$1" ethtool --set-priv-flags wg0 "$2" "$3"
	shows "$@" || fail "$1: $2 is not $3"
}

# shows NS FLAG on|off: whether the interface says so.
shows() {
	in_ns "$1" ethtool --show-priv-flags wg0 | grep -q "^$2 *: $3$"
}

# wire ON|OFF: whether the wire takes what stands for several datagrams, and its checksums half
# done.
wire() {
	local ns
	for ns in a b c d; do in_ns "$ns" ethtool -K veth tso "$1" gso "$1" tx-udp-segmentation "$1" tx "$1"; done
}

# counters FROM TO: of the interfaces, as the one sent and the other received.
counters() {
	echo "$(statistic "$1" tx_packets) $(statistic "$1" tx_bytes) $(statistic "$2" rx_packets) $(statistic "$2" rx_bytes)"
}

# all_received FROM TO: whether all that was sent has been received; $now are the counters.
all_received() {
	local of
	now=$(counters "$1" "$2")
	read -ra of <<<"$now"
	((of[0] == of[2] && of[1] == of[3]))
}

# settle FROM TO: sets $now when nothing is on its way any more, not even a keepalive.
settle() {
	eventually 5 all_received "$1" "$2" || fail "not all that was sent was received: $now"
}

# transfer FROM TO CAPTURE BYTES: sends data through the tunnel, captures what comes out of the
# wire, and compares.
transfer() {
	local from=$1 to=$2 before after
	settle "$from" "$to"
	before=$now
	capture "$to" veth "$3" -w - "udp src port 51821"
	head -c "$4" "$work/data" >"$work/sent"
	carry "$from" "$to" 192.168.7.2
	captured "$3"
	settle "$from" "$to"
	after=$now
	# What was sent is what was received, in packets and bytes.
	echo "$before $after" | awk -v min=$(($4 / 1500)) \
		'{ if ($5 - $1 != $7 - $3 || $6 - $2 != $8 - $4 || $5 - $1 < min) exit 1 }' ||
		fail "sent and received before: $before; after: $after"
}

# together FILE: how many frames of a capture are longer than the wire's MTU allows.
together() {
	tcpdump -n -r "$1" 'greater 1515' 2>/dev/null | wc -l
}

# headers FILE…: what the headers of the data messages in each capture say, without lengths,
# identification and checksums, each kind once, in FILE.headers. Of the checksums: whether they are
# right. In FILE.nonces are the sessions and nonces of these messages. All captures are read at
# once, as starting tshark takes long.
headers() {
	local file counts=() all=$work/all
	head -c 24 "$1" >"$all"
	for file; do
		tail -c +25 "$file" >>"$all"
		counts+=("$(tcpdump -n -r "$file" 2>/dev/null | wc -l)")
	done
	tshark -r "$all" -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y 'wg.type == 4' -T fields -e frame.number \
		-e wg.receiver -e wg.counter -e eth.type -e ip.hdr_len -e ip.dsfield -e ip.flags -e ip.frag_offset -e ip.ttl -e ip.src \
		-e ip.dst -e ip.checksum.status -e ipv6.tclass -e ipv6.flow -e ipv6.hlim -e ipv6.src -e ipv6.dst \
		-e udp.srcport -e udp.dstport -e udp.checksum.status 2>/dev/null |
		awk -F '\t' -v files="$*" -v counts="${counts[*]}" '
			BEGIN { split(files, file, " "); split(counts, count, " ") }
			{
				while ($1 > end) end += count[++n]
				print $2, $3 >(file[n] ".nonces")
				sub(/^[^\t]*\t[^\t]*\t[^\t]*\t/, "")
				print >(file[n] ".fields")
			}'
	for file; do sort -u "$file.fields" >"$file.headers"; done
}

load_module
head -c 120000 /dev/urandom >"$work/data"
joined a b
tunnel a b 4
joined c d 1
tunnel c d 6
peer c d endpoint "[fd00:1::2]:51822"
peer d c endpoint "[fd00:1::1]:51821"
answers a 192.168.7.2 || fail "the first ping over IPv4"
answers c 192.168.7.2 || fail "the first ping over IPv6"
shows a udp-gso on || fail "udp-gso is off by default"
shows a udp-gro on || fail "udp-gro is off by default"

for pair in "a b" "c d"; do
	read -r from to <<<"$pair"
	wire off
	together_is "$from" udp-gso on
	transfer "$from" "$to" "$work/$from.gso" 120000
	together_is "$from" udp-gso off
	transfer "$from" "$to" "$work/$from.alone" 120000

	# The receiver puts them together, although the sender did not.
	in_ns "$to" ethtool -K veth gro on
	transfer "$from" "$to" "$work/gro" 30000
	(($(together "$work/gro") > 0)) || fail "$from: nothing came up together"
	together_is "$to" udp-gro off
	transfer "$from" "$to" "$work/gro" 30000
	(($(together "$work/gro") == 0)) || fail "$from: something came up together in spite of the switch"
	together_is "$to" udp-gro on
	in_ns "$to" ethtool -K veth gro off

	# A wire that takes them together gets them so, if they are sent so.
	wire on
	transfer "$from" "$to" "$work/alone" 30000
	(($(together "$work/alone") == 0)) || fail "$from: something was sent together in spite of the switch"
	together_is "$from" udp-gso on
	transfer "$from" "$to" "$work/together" 30000
	(($(together "$work/together") > 0)) || fail "$from: nothing was sent together"
done

headers "$work"/{a,c}.{gso,alone}
for from in a c; do
	for way in gso alone; do
		file=$work/$from.$way
		(($(together "$file") == 0)) || fail "$from, $way: something too long for the wire"
		# Where time is real there may be a new session meanwhile; and this is the far end
		# of a wire that keeps a queue for each CPU, where packets may arrive in another
		# order after the sender has moved to another CPU.
		awk -v cpus="$(nproc)" 'NR > 1 && cpus == 1 && $2 != ($1 == session ? last + 1 : 0) { exit 1 } { session = $1; last = $2 } END { if (NR < 80) exit 1 }' \
			"$file.nonces" ||
			fail "$from, $way: nonces $(paste -sd ' ' "$file.nonces")"
	done
	diff "$work/$from".{alone,gso}.headers || fail "$from: other headers on the wire"
	(($(wc -l <"$file.headers") == 1)) || fail "$from: several kinds of headers: $(cat "$file.headers")"
	[[ $(cut -f 17 "$file.headers") == 1 ]] || fail "$from: wrong UDP checksums: $(cat "$file.headers")"
done

# Single datagrams in a row, which a worker sends: none is lost, and each is counted.
settle a b
before=$now
in_ns a python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(500): s.sendto(bytes(n), ("192.168.7.2", 51822))'
# Where time is real there may be a few keepalives among them.
most=500
! debug_kernel || most=510
all_there() {
	counters a b | awk -v before="$before" -v most="$most" '{
		split(before, b, " ")
		sent = $1 - b[1]
		exit !($3 - b[3] == sent && sent >= 500 && sent <= most)
	}'
}
eventually 5 all_there || fail "of 500 datagrams: $before, $(counters a b)"

# The parameter is the default of new interfaces.
echo N >/sys/module/wireguard/parameters/udp_gso
ip -n a link add wg1 type wireguard
in_ns a ethtool --show-priv-flags wg1 | grep -q '^udp-gso *: off$' || fail "a new interface does not ask the parameter"
shows a udp-gso on || fail "an old interface asks the parameter"
refuses in_ns a ethtool --set-priv-flags wg0 no-such-flag on
