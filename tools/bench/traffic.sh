# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # $work comes of selftests/lib.sh, $idled of "measured", which the caller has
# Traffic from left to 192.168.7.2, on a path of paths.sh. Each function puts out its part of the
# result.

# Buffers in which a burst fits, so that all that is sent arrives: the work is to be the same in
# every run.
buffer=4M

# iperf_server t|u: TCP or UDP; runs until the topology goes.
iperf_server() {
	local options=() file=$work/server-$1
	if [[ ! ${servers[$1]:-} ]]; then
		[[ $1 == t ]] || options=(--udp)
		: >"$file"
		in_ns right iperf --server --reportstyle C -w $buffer "${options[@]}" >>"$file" &
		servers[$1]=$!
		eventually 5 listens right 5001 "-$1" || fail "the iperf server does not start"
		# Through a gateway, datagrams of iperf's own size do not fit.
		in_ns left iperf --client 192.168.7.2 "${options[@]}" -l 1000 --reportstyle C -n 64K >"$work/client"
		eventually 5 has_reports "$file" 1 || fail "iperf says: $(cat "$work/client")"
	fi
	: >"$file"
}

# reports FILE: the lines of single streams.
reports() {
	awk -F, '/^[0-9]/ && $6 >= 0' "$1"
}

has_reports() {
	(($(reports "$1" | wc -l) >= $2))
}

# result FILE COUNT: "bytes=… seconds=…" (and packets, lost) from COUNT reports of iperf: all bytes,
# and the longest time.
result() {
	eventually 5 has_reports "$1" "$2" || fail "iperf says: $(cat "$work/client" "$1")"
	reports "$1" | awk -F, '
		{ bytes += $8; lost += $11; all += $12; time = $8 * 8 / $9; if (time > seconds) seconds = time }
		END {
			printf "bytes=%d seconds=%.6f", bytes, seconds
			if (all) printf " packets=%d lost=%d", all - lost, lost
			print ""
		}'
}

# retransmits: by both ends so far.
retransmits() {
	local ns
	for ns in left right; do in_ns "$ns" nstat -asz TcpRetransSegs; done |
		awk '$1 == "TcpRetransSegs" { all += $2 } END { print all }'
}

# run_tcp AMOUNT OPTIONS-OF-IPERF…
run_tcp() {
	local file=$work/server-t count=1 before after
	case "${*:2}" in
	-R) file=$work/client ;;
	--full-duplex) file=$work/client count=2 ;;
	"-P "*) count=$3 ;;
	esac
	iperf_server t
	before=$(retransmits)
	measured in_ns left iperf --client 192.168.7.2 --reportstyle C -n "$@" >"$work/client"
	after=$(retransmits)
	result "$file" "$count"
	echo "retransmits=$((after - before)) idle=$idled"
}

# run_udp SIZE COUNT: as fast as the sender can.
run_udp() {
	iperf_server u
	measured in_ns left iperf --client 192.168.7.2 --reportstyle C --udp -b 100g -l "$1" -n $(($2 * $1)) >"$work/client"
	result "$work/server-u" 1
	echo "idle=$idled"
}

# run_ping COUNT: the next request goes out when the last one is answered.
run_ping() {
	measured in_ns left ping -q -f -c "$1" 192.168.7.2 >"$work/client"
	sed -n 's/^\([0-9]*\) packets transmitted, \1 received, .* time \([0-9]*\)ms$/packets=\1 seconds=\2e-3/p' "$work/client" |
		grep . || fail "ping says: $(cat "$work/client")"
	echo "idle=$idled"
}

# run_peers COUNT: no traffic, but what peers cost.
run_peers() {
	in_ns left python3 "$WG_TOP/tools/bench/py/peers.py" "$1" "$never_idle"
}

# load_server PROGRAM t|u PORT WORDS…: one of load.c; runs until the topology goes.
load_server() {
	if [[ ! ${servers[$1$3]:-} ]]; then
		in_ns right "$WG_LOAD" "$1" "${@:3}" >"$work/load-$3" 2>&1 &
		servers[$1$3]=$!
		eventually 5 listens right "$3" "-$2" || fail "load $1 does not start: $(cat "$work/load-$3")"
	fi
}

# load_client WORDS…: of load.c.
load_client() {
	measured in_ns left "$WG_LOAD" "$@" >"$work/client" || fail "load $1 ends with $?"
	cat "$work/client"
	echo "idle=$idled"
}

# run_quic COUNT: datagrams in super-packets at both ends, with acknowledgements.
run_quic() {
	load_server sink u 7001 1252 gro
	load_client segments 192.168.7.2 7001 1252 "$1"
}

# run_stream SIZE COUNT: datagrams, many of them with a call at both ends, with acknowledgements.
run_stream() {
	load_server sink u $((10000 + $1)) "$1" single
	load_client stream 192.168.7.2 $((10000 + $1)) "$@"
}

# run_echo SIZE COUNT
run_echo() {
	load_server echo-server u 7002
	load_client echo 192.168.7.2 7002 "$@"
}

# run_http BYTES COUNT AT-ONCE new|kept
run_http() {
	local port=$((8000 + $1 / 1000))
	load_server http-server t $port "$1"
	load_client http 192.168.7.2 $port "$@"
}

# run_hub SIZE COUNT PEERS: through the interfaces wg1, wg2, … of left at once, in rounds. The round
# before them, which is not measured, makes the sessions: our module computes at the first handshake
# what the C module has computed when the peer was added.
run_hub() {
	load_server echo-server u 7002
	in_ns left "$WG_LOAD" echo 192.168.7.2 7002 "$1" "$3" wg "$3" >"$work/client" || fail "load echo ends with $?"
	load_client echo 192.168.7.2 7002 "$1" "$2" wg "$3"
}

# run_beside COUNT: a small packet each millisecond, beside a TCP stream that does not end before.
run_beside() {
	local bulk
	iperf_server t
	load_server echo-server u 7002
	in_ns left iperf --client 192.168.7.2 --reportstyle C -n 100G >"$work/bulk" 2>&1 &
	bulk=$!
	pass 0.05
	load_client latency 192.168.7.2 7002 "$1"
	kill -KILL $bulk
	wait $bulk 2>/dev/null || true
}
