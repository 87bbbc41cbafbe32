#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# The four tracepoints: their fields, what they record of handshakes, sessions, moves and drops,
# each drop once, and never a secret.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no tracepoints"
grep -qw tracefs /proc/filesystems || skip "this kernel has no tracefs"

tracing=/sys/kernel/tracing events=/sys/kernel/tracing/events/wireguard

# fields EVENT: their types and names, as perf and bpftrace find them, without those of every event.
fields() {
	sed -nE 's/^\tfield:(.*);\toffset.*/\1/p' "$events/$1/format" | grep -v ' common_' | paste -sd ,
}

# records EVENT [TEXT…]: those that have all texts, one a line.
records() {
	local found text
	found=$(grep -F " wg_$1: " "$tracing/trace" || true)
	for text in "${@:2}"; do found=$(grep -wF -- "$text" <<<"$found" || true); done
	printf '%s' "$found${found:+$'\n'}"
}

# recorded NUMBER EVENT [TEXT…]: there are that many.
recorded() {
	local number=$1
	shift
	[[ $(records "$@" | wc -l) == "$number" ]] ||
		fail "not $number but $(records "$@" | wc -l) records $*: $(grep 'wg_' "$tracing/trace")"
}

# afresh: moves what was recorded to $work/text, and as it lies in the buffers to $work/raw.
afresh() {
	local pipe
	cat "$tracing/trace" >>"$work/text"
	for pipe in "$tracing"/per_cpu/cpu*/trace_pipe_raw; do
		# It ends with EAGAIN.
		dd if="$pipe" iflag=nonblock bs=4096 status=none 2>/dev/null >>"$work/raw" || true
	done
	echo >"$tracing/trace"
}

# index NS: of its interface.
index() {
	in_ns "$1" cat /sys/class/net/wg0/ifindex
}

# peer_of NS: the field that names NS as a peer.
peer_of() {
	echo "peer=${public[$1]}"
}

load_module
mount -t tracefs tracefs "$tracing" 2>/dev/null || true
# row M5
[[ $(cd "$events" && echo wg_*) == "wg_endpoint wg_handshake wg_refusal wg_session" ]] || fail "events: $(ls "$events")"
begin="char interface[16],int ifindex,char peer[48]"
[[ $(fields wg_refusal) == "$begin,char reason[32],char remote[84],u64 count" ]] ||
	fail "wg_refusal: $(fields wg_refusal)"
[[ $(fields wg_handshake) == "$begin,char state[32],char endpoint[80],u32 attempt" ]] ||
	fail "wg_handshake: $(fields wg_handshake)"
[[ $(fields wg_session) == "$begin,char change[32],char role[36],u64 keypair" ]] ||
	fail "wg_session: $(fields wg_session)"
[[ $(fields wg_endpoint) == "$begin,char learnt[32],char old[80],char new[80]" ]] ||
	fail "wg_endpoint: $(fields wg_endpoint)"
# A hole between fields would show memory that was never written.
for event in wg_endpoint wg_handshake wg_refusal wg_session; do
	sed -nE 's/.*offset:([0-9]+);\tsize:([0-9]+);.*/\1 \2/p' "$events/$event/format" |
		awk '$1 != end { exit 1 } { end = $1 + $2 }' || fail "the record of $event has a hole: $(<"$events/$event/format")"
done

echo 8192 >"$tracing/buffer_size_kb"
afresh
echo 1 >"$events/enable"
joined a b
psk=$(wg genpsk)
tunnel a b
peer a b preshared-key /dev/stdin <<<"$psk"
peer b a preshared-key /dev/stdin <<<"$psk"
in_a="interface=wg0 ifindex=$(index a) $(peer_of b)"
in_b="interface=wg0 ifindex=$(index b) $(peer_of a)"
recorded 1 endpoint "$in_a" "learnt=configuration old=(none) new=10.0.0.2:51822"
recorded 1 endpoint "$in_b" "learnt=configuration old=(none) new=10.0.0.1:51821"

# A handshake, and the session on both sides.
answers a 192.168.7.2 || fail "no answer through the tunnel"
recorded 1 handshake "$in_a" "state=begun endpoint=10.0.0.2:51822 attempt=1"
recorded 1 handshake "$in_b" "state=answered endpoint=10.0.0.1:51821 attempt=0"
recorded 1 handshake "$in_a" "state=response endpoint=10.0.0.2:51822"
recorded 1 handshake "$in_a" "state=completed"
recorded 1 handshake "$in_b" "state=completed"
recorded 5 handshake
order=$(records handshake | sed -E 's/.* state=([a-z-]+) .*/\1/' | paste -sd ' ')
[[ $order == "begun answered response completed completed" ]] || fail "the states come as: $order"
# The log has the same numbers.
number=$(kernel_log | sed -nE 's/.*Keypair ([0-9]+) created for peer .*/\1/p' | paste -sd ' ')
for side in "$in_a=initiator" "$in_b=responder"; do
	recorded 1 session "${side%=*}" "change=up role=${side##*=}"
	keypair=$(records session "${side%=*}" | sed -E 's/.* keypair=([0-9]+).*/\1/')
	[[ " $number " == *" $keypair "* ]] || fail "key pair $keypair, and in the log: $number"
done
recorded 0 refusal
recorded 2 endpoint

# A move; the answer to the packet that tells of it moves nothing.
in_ns b wg set wg0 listen-port 4000
answers b 192.168.7.1 || fail "no answer from a new port"
recorded 1 endpoint "$in_a" "learnt=data old=10.0.0.2:51822 new=10.0.0.2:4000"
recorded 3 endpoint

# Drops: of no peer, by the socket's way and by the workers'; of a peer, in a session and in a
# handshake.
afresh
printf hello | in_ns b ncat -u --send-only -p 4242 10.0.0.1 51821
{ printf '\1\0\0\0' && head -c 144 /dev/zero; } | in_ns b ncat -u --send-only -p 4243 10.0.0.1 51821
unanswered a 192.168.7.99
ip -n b addr add 192.168.9.9/32 dev wg0
in_ns b ping -q -c 1 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
nobody="interface=wg0 ifindex=$(index a) peer=(none)"
recorded 1 refusal "$nobody" "reason=rx-bad-type remote=10.0.0.2:4242 count=1"
recorded 1 refusal "$nobody" "reason=rx-bad-mac1 remote=10.0.0.2:4243 count=1"
recorded 1 refusal "$nobody" "reason=tx-no-peer remote=(none) count=1"
recorded 1 refusal "$in_a" "reason=rx-inner-bad-source"
for ns in a b; do
	ip -n $ns link set wg0 down
	ip -n $ns link set wg0 up
done
recorded 1 session "$in_a" "change=reset role=(none) keypair=0"
recorded 1 session "$in_b" "change=reset role=(none) keypair=0"
capture b veth "$work/sent" -w - "$initiation"
pass 6
answers b 192.168.7.1 || fail "no answer after a reset"
eventually 3 has_packet "$work/sent" || fail "no initiation was captured"
captured "$work/sent"
resend b "$work/sent" 10.0.0.1 51821 4244
eventually 3 records refusal "$in_a" "reason=rx-initiation-replayed remote=10.0.0.2:4244 count=1" >/dev/null
recorded 1 refusal "$in_a" "reason=rx-initiation-replayed remote=10.0.0.2:4244 count=1"

# No answer comes: twenty attempts, then what waits is given up. 540 s after that, the keys are
# wiped.
in_ns b ip link set wg0 down
in_ns a ip link set wg0 down
in_ns a ip link set wg0 up
pass 6
afresh
datagram a 192.168.7.2
pass 130
for ((attempt = 1; attempt <= 20; attempt++)); do recorded 1 handshake "$in_a" "state=begun" "attempt=$attempt"; done
recorded 1 handshake "$in_a" "state=given-up" "attempt=20"
recorded 1 refusal "$in_a" "reason=tx-gave-up remote=(none) count=1"
recorded 0 session
# The count goes on until there is an answer. Keys of no session are wiped without a word.
datagram a 192.168.7.2
pass 4
recorded 1 handshake "$in_a" "state=begun" "attempt=21"
pass 700
recorded 1 handshake "$in_a" "state=given-up" "attempt=40"
recorded 0 session
ip -n b link set wg0 up
pass 6
answers a 192.168.7.2 || fail "no answer after up"
afresh
# Where a second has 100 ticks, a timer of 540 s may be 41 s late.
pass 590
for side in "$in_a" "$in_b"; do recorded 1 session "$side" "change=expired role=(none) keypair=0"; done
recorded 2 session

# Each drop that the interfaces have counted was recorded once.
afresh
for ns in a b; do in_ns $ns ethtool -S wg0; done | awk -F '[: ]+' '$3 > 0 { n[$2] += $3 } END { for (r in n) print r, n[r] }' |
	sort >"$work/counted"
sed -nE 's/.* wg_refusal: .* reason=([^ ]+) .* count=([0-9]+)$/\1 \2/p' "$work/text" |
	awk '{ n[$1] += $2 } END { for (r in n) print r, n[r] }' | sort >"$work/recorded"
grep . "$work/counted" >/dev/null || fail "nothing was counted"
diff "$work/counted" "$work/recorded" || fail "counted is something else than recorded"

# Nothing secret is in any record, in whatever form; public keys are, so the search finds what is
# there.
python3 - "$work" "${public[a]}" "${private[a]}" "${private[b]}" "$psk" <<'END' || fail "a secret is in the records"
import base64, pathlib, sys
work, (public, *secrets) = pathlib.Path(sys.argv[1]), sys.argv[2:]
text, raw = ((work / name).read_bytes() for name in ("text", "raw"))
assert public.encode() in text and public.encode() in raw, "the public key is not there"
for secret in secrets:
    key = base64.b64decode(secret)
    for form in (secret.encode()[:-1], key.hex().encode(), key.hex().upper().encode(), key, key[:16], key[16:]):
        assert form not in text and form not in raw, form
END

# Off, there is nothing.
echo 0 >"$events/enable"
unanswered a 192.168.7.99
recorded 0 refusal
# What comes after the test takes the module out while they are on.
echo 1 >"$events/enable"
