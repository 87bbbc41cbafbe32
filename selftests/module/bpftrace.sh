#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 300
# when: all
# needs: bpftrace
# The scripts of tools/bpftrace print what happens: drops by peer and reason, how long handshakes
# take, sessions and moves.

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no tracepoints"
[[ ${WG_BPFTRACE:-} ]] || fail "there is no bpftrace (tools/build/foreign.sh)"
[[ -e /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"

declare -A scripts

# script NAME: runs in the background until "ended NAME"; $work/NAME is what it prints.
script() {
	LD_LIBRARY_PATH=$(echo "$WG_BPFTRACE"/usr/lib/*-linux-gnu) "$WG_BPFTRACE/usr/bin/bpftrace" -B line \
		"$WG_TOP/tools/bpftrace/$1.bt" >"$work/$1" 2>"$work/$1.err" &
	scripts[$1]=$!
	eventually 60 grep -q 'Ctrl-C ends' "$work/$1" || fail "$1 does not start: $(cat "$work/$1" "$work/$1.err")"
}

ended() {
	kill -INT "${scripts[$1]}"
	wait "${scripts[$1]}" || fail "$1 ends with status $?: $(cat "$work/$1.err")"
	[[ ! -s $work/$1.err ]] || fail "$1 complains: $(cat "$work/$1.err")"
}

# prints NAME REGEX: soon the script does.
prints() {
	eventually 10 grep -qE -- "$2" "$work/$1" || fail "$1 does not print '$2': $(cat "$work/$1")"
}

load_module
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
joined a b
tunnel a b
for name in refusals handshakes sessions; do script $name; done
# Each byte that a regular expression could take for more than itself is a plus or a slash.
one=${public[b]//+/\\+} other=${public[a]//+/\\+}

answers a 192.168.7.2 || fail "no answer through the tunnel"
for key in "$one" "$other"; do
	prints handshakes "^[0-9:]{8} wg0 $key completed after [0-9]+ us, endpoint 10\.0\.0\.[12]:5182[12]$"
done
prints sessions "^[0-9:]{8} wg0 $one session up, role initiator, key pair [0-9]+$"
prints sessions "^[0-9:]{8} wg0 $other session up, role responder, key pair [0-9]+$"

in_ns b wg set wg0 listen-port 4000
answers b 192.168.7.1 || fail "no answer from a new port"
prints sessions "^[0-9:]{8} wg0 $one moved from 10\.0\.0\.2:51822 to 10\.0\.0\.2:4000, learnt from data$"
ip -n b link set wg0 down
prints sessions "^[0-9:]{8} wg0 $other session reset, "
ip -n b link set wg0 up

for _ in 1 2 3; do unanswered a 192.168.7.99; done
ip -n b addr add 192.168.9.9/32 dev wg0
answers b 192.168.7.1 || fail "no answer after a reset"
in_ns b ping -q -c 2 -i 0.2 -W 0.3 -I 192.168.9.9 192.168.7.1 >/dev/null || true
for name in refusals handshakes sessions; do ended $name; done
prints refusals "^@refused\[wg0, \(none\), tx-no-peer\]: 3$"
prints refusals "^@refused\[wg0, $one, rx-inner-bad-source\]: 2$"
prints handshakes "^@us\[wg0, $one\]: ?$"
if grep '^@begun' "$work/handshakes"; then fail "handshakes prints when they began"; fi
for secret in "${private[a]}" "${private[b]}"; do
	if grep -F "$secret" "$work"/{refusals,handshakes,sessions}; then fail "a private key is printed"; fi
done
