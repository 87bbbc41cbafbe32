#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp4
# when: all
# limit: 600
# needs: c-module
# One peer, saturated by TCP and by UDP, and then sixteen: several CPUs encrypt and decrypt, and the
# order is kept. The C driver does the same beside it.

. "$(dirname "$0")/../lib.sh"

seconds=4
tracing=/sys/kernel/debug/tracing
peers=16

# Encryptions and decryptions of the C driver, by CPU: there are no counters, but functions to be
# counted.
count_c() {
	local what
	mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing"
	for what in encrypt decrypt; do
		echo "p:c_$what chacha20poly1305_${what}_sg_inplace" >>"$tracing/kprobe_events"
		echo 'hist:keys=common_cpu' >"$tracing/events/kprobes/c_$what/trigger"
	done
}

# ours NS: whether its interface is.
ours() {
	[[ ! ${kind[$1]:-} ]]
}

# done_by NS WHAT: how many packets each CPU has encrypted or decrypted at NS, one line "CPU NUMBER"
# for each. For the C driver it is all of its interfaces.
done_by() {
	if ours "$1"; then
		awk -v what="$2ed" '{ for (i = 2; i < NF; i += 2) if ($i == what) print $1, $(i + 1) }' "${counters[$1]}/cpus"
	else
		awk '/common_cpu/ && !/trigger/ { gsub(/[^0-9]+/, " "); print "cpu" $1, $2 }' \
			"$tracing/events/kprobes/c_$2/hist"
	fi
}

# shares NS WHAT BEFORE: the percentages of the CPUs since then, the highest first.
shares() {
	done_by "$1" "$2" | awk '
		NR == FNR { before[$1] = $2; next }
		{ n[$1] = $2 - before[$1]; sum += n[$1] }
		END { for (cpu in n) printf "%d\n", 100 * n[cpu] / (sum ? sum : 1) }' "$3" - | sort -rn | tr '\n' ' '
}

# out_of_order NS: segments that came to its sockets before an older one did.
out_of_order() {
	in_ns "$1" nstat -asz TcpExtTCPOFOQueue | awk '/TCPOFOQueue/ { print $2 }'
}

# dropped NS REASON
dropped() {
	awk -v reason="$2" '$1 == reason { print $2 }' "${counters[$1]}/drops"
}

# are_shared TEXT PERCENTAGES: at least three CPUs must have done 15 % or more.
are_shared() {
	local percentages
	read -ra percentages <<<"$2"
	((percentages[2] >= 15)) || fail "$1: the CPUs' shares are $2"
}

# saturate TEXT FROM TO COMMAND…: runs the command, and looks who did the work at FROM and at TO, of
# which one may be "-".
saturate() {
	local text=$1 from=$2 to=$3 sealed='' opened='' before=0 n=-
	shift 3
	[[ $from == - ]] || done_by "$from" encrypt >"$work/sealed"
	[[ $to == - ]] || done_by "$to" decrypt >"$work/opened"
	[[ $to == - ]] || before=$(out_of_order "$to")
	"$@" >"$work/iperf3.log" 2>&1 || fail "$text: $(tail -n 5 "$work/iperf3.log")"
	[[ $from == - ]] || sealed=$(shares "$from" encrypt "$work/sealed")
	[[ $to == - ]] || opened=$(shares "$to" decrypt "$work/opened")
	[[ $to == - ]] || n=$(($(out_of_order "$to") - before))
	printf '%-24s encrypted by %-14s decrypted by %-14s out of order: %s\n' "$text" "${sealed:--}" "${opened:--}" "$n"
	# The C driver comes first.
	ours "${from/-/$to}" || late=$n
	[[ $n == - ]] || ((n <= late + 10)) || fail "$text: $n segments of TCP come late, with the C driver $late"
	if ours "${from/-/$to}"; then
		[[ ! $sealed ]] || are_shared "$text, encryption" "$sealed"
		[[ ! $opened ]] || are_shared "$text, decryption" "$opened"
	fi
}

iperf3_client() {
	in_ns "$1" iperf3 --client "$2" --time "$seconds" "${@:3}"
}

# One stream with each of HUB's peers.
all_peers() {
	local hub=$1 n pids=()
	for ((n = 2; n < peers + 2; n++)); do
		iperf3_client "$hub" 192.168.7.$n "${@:2}" &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# star HUB: an interface in HUB with as many peers, each in a namespace of its own.
star() {
	local hub=$1 n
	namespace "$hub"
	interface "$hub" 1
	for ((n = 2; n < peers + 2; n++)); do
		kind[$hub$n]=${kind[$hub]}
		joined "$hub" "$hub$n" $n "veth$n"
		interface "$hub$n" $n
		peer "$hub$n" "$hub" allowed-ips 192.168.7.1/32 endpoint 10.$n.0.1:51821
		peer "$hub" "$hub$n" allowed-ips 192.168.7.$n/32 endpoint 10.$n.0.2:$((51820 + n))
		ip -n "$hub$n" link set wg0 up
		iperf3_server "$hub$n"
	done
	ip -n "$hub" link set wg0 up
	for ((n = 2; n < peers + 2; n++)); do answers "$hub" 192.168.7.$n -w 10 || fail "a ping to peer $n of $hub"; done
}

load_module
load_c_module
count_c
declare -A counters
kind[c]=wireguarc
kind[d]=wireguarc
kind[hub]=
kind[chub]=wireguarc
joined c d
tunnel c d
joined a b
tunnel a b
counters[a]=/sys/kernel/debug/wireguard/wg0
counters[b]=$(echo /sys/kernel/debug/wireguard/wg0.*)
for ns in b d; do iperf3_server $ns; done
for ns in a c; do answers $ns 192.168.7.2 -w 10 || fail "a ping at $ns"; done

echo "shares of the CPUs in %; a and b are ours, c and d are the C driver's"
for way in "" --reverse; do
	for ends in "c d" "a b"; do
		read -r from to <<<"$ends"
		client=$from
		[[ ! $way ]] || read -r to from <<<"$ends"
		# shellcheck disable=SC2086 # no option at all, or one
		saturate "TCP, $from to $to" "$from" "$to" iperf3_client "$client" 192.168.7.2 --parallel 4 $way
		# shellcheck disable=SC2086
		saturate "UDP, $from to $to" "$from" "$to" iperf3_client "$client" 192.168.7.2 --udp --bandwidth 0 --length 1372 $way
	done
done
for ns in a b; do
	[[ $(dropped $ns rx-data-replayed) == 0 ]] || fail "packets count as replayed at $ns"
done

# Nonces leave in rising order, as one sees them between the tunnel and the device.
capture a veth "$work/data.pcap" -w - -s 64 "src host 10.0.0.1 and $data"
iperf3_client a 192.168.7.2 --parallel 4 --time 1 >/dev/null
captured "$work/data.pcap"
python3 - "$work/data.pcap" <<'END'
import struct, sys

capture = open(sys.argv[1], "rb").read()
position, nonces = 24, []
while position < len(capture):
    (length,) = struct.unpack_from("<I", capture, position + 8)
    nonces.append(struct.unpack_from("<Q", capture, position + 16 + 14 + 20 + 8 + 8)[0])
    position += 16 + length
rising = sum(a < b for a, b in zip(nonces, nonces[1:]))
print(f"{len(nonces)} packets with rising nonces but {len(nonces) - 1 - rising}")
sys.exit(len(nonces) < 100 or rising != len(nonces) - 1)
END

for hub in chub hub; do
	before=$(ls /sys/kernel/debug/wireguard)
	star $hub
	counters[$hub]=/sys/kernel/debug/wireguard/$(comm -13 <(echo "$before") <(ls /sys/kernel/debug/wireguard) | head -n 1)
	saturate "TCP, $hub to $peers peers" $hub - all_peers $hub
	saturate "TCP, $peers peers to $hub" - $hub all_peers $hub --reverse
done
[[ $(dropped hub rx-data-replayed) == 0 ]] || fail "packets count as replayed at the hub"
