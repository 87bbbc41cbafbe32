#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Two virtual machines joined by a wire: one has our module, the other one the C module, and what
# selftests/lib/foreign.sh tries with any other implementation is tried between them. It takes seven
# minutes of real time.
# usage: two-vms.sh [--no-build]
# Logs: out/vm/two-ours and out/vm/two-theirs: output.log, kernel.log, console.log. Ends with
# "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

if [[ ${1:-} != --no-build ]]; then
	step "wireguard.ko" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
	cp "$WG_TOP/wireguard.ko" "$WG_OUT/wireguard.ko"
fi
export WG_KO=$WG_OUT/wireguard.ko
unset WG_MODULE
# Where processors are emulated on a busy machine, the guest may measure its TSC wrongly, and all
# its clocks run several times too fast. Two machines must agree on what a second is, so they take
# the clock that needs no measuring.
export WG_WORDS=clocksource=hpet

# machine SIDE ADDRESS on|off: boots it. The wire is named from the checkout, as the names of
# sockets must be short.
machine() {
	export WG_WIRE="$2 $3 out/vm/wire"
	exec "$WG_TOP/tools/vm/boot.sh" --memory 512M --limit $((900 * ${WG_PATIENCE:-1})) --job "$WG_OUT/vm/two-$1" -- \
		"$WG_TOP/tools/vm/two-machines.sh" "$1"
}

# both: success when both succeed. The other machine ends with the one that has the test, or is
# ended.
both() {
	local theirs status=0
	mkdir -p "$WG_OUT/vm"
	rm -rf "$WG_OUT"/vm/{wire,two-ours,two-theirs}
	(machine theirs 52:54:00:00:00:02 off) &
	theirs=$!
	# shellcheck disable=SC2064 # this process, now
	trap "kill $theirs 2>/dev/null || true" EXIT
	(machine ours 52:54:00:00:00:01 on) || status=1
	if ((status)); then
		for _ in {1..30}; do kill -0 "$theirs" 2>/dev/null && sleep 1; done
		kill "$theirs" 2>/dev/null || true
	fi
	wait "$theirs" || status=1
	trap - EXIT
	return "$status"
}

# An emulated machine may hang at boot when this one is busy; that says nothing about the module.
twice() {
	both && return
	[[ -e $WG_OUT/vm/two-ours/output.log && -e $WG_OUT/vm/two-theirs/output.log ]] && return 1
	both
}

if step "two machines, ours and the C module" "$WG_OUT/log/two-vms.log" twice; then
	cat "$WG_OUT/vm/two-ours/output.log"
	passed=1
else
	tail -n 30 "$WG_OUT/vm"/two-{ours,theirs}/output.log || true
	failed=1
fi
tally
