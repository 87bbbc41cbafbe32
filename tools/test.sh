#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The tests. The last line is "N passed, M failed, K skipped"; logs stay below out/.
# usage: test.sh [PART…]
#
# Parts beyond what always runs; "all" is all of them:
#   selftests  those that are "# when: all": other programs, topologies and what takes long
#   two-vms    ours and the C module in two machines
#   install    installing, short
#   diff       500 000 netlink requests to ours and to the C driver
#   paths      all paths, ours beside the C driver
#   debug      User Mode Linux that watches memory, short
#   lanes      other kernels and architectures, as far as they are in the cache (tools/lanes/run.sh)
#
# WG_DEADLINE: seconds since 1970 when all must be done, for a machine that has a time limit.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

known=(selftests two-vms install diff paths debug lanes)
parts=" $* "
[[ $parts != " all " ]] || parts=" ${known[*]} "
for word in $parts; do
	[[ " ${known[*]} " == *" $word "* ]] || die "there is no part '$word' of the tests (all, ${known[*]})"
done
# with PART: whether it was asked for.
with() { [[ $parts == *" $1 "* ]]; }

core=(--core)
! with selftests || core=()
log=$WG_OUT/log
red=() # what failed, with the end of its log: said once more at the end

# part TEXT LOG COMMAND…: a step that counts; one that fails without saying how often counts once.
part() {
	local before=$failed status=0 sum
	step "$1" "$2" "${@:3}" || status=$?
	sum=$((passed + failed + skipped))
	add "$2"
	if ((status && failed == before)); then
		failed=$((failed + 1))
	elif ((passed + failed + skipped == sum)); then
		passed=$((passed + 1))
	fi
	((failed == before)) || red+=("$1" "$(excerpt "$2" 5)")
}

# counted LOG [STATUS]: adds what a runner of many tests says at its end. One that says nothing has
# failed, and so has one that ends with a status other than 0 and counts no failure.
counted() {
	local sum=$((passed + failed + skipped)) before=$failed name place lines=0
	add "$1"
	((passed + failed + skipped > sum && (${2:-0} == 0 || failed > before))) || failed=$((failed + 1))
	((failed > before)) || return 0
	while read -r _ name place _; do
		red+=("selftest $name $place" "$(excerpt "$WG_OUT/selftests/${place//[()]/}/$name.log" 5 2>&1 || true)")
		lines=$((lines + 1))
	done < <(grep -E '^selftest .*FAILED' "$1")
	((lines)) || red+=("$1" "$(excerpt "$1" 5)")
}

# shown LOG COMMAND…: such a runner, whose lines are shown as they come.
shown() {
	"${@:2}" 2>&1 | tee "$1" | grep --line-buffered -v ' passed, ' || true
	counted "$1"
}

# in_time SECONDS COMMAND…: is stopped SECONDS before WG_DEADLINE, if there is one.
in_time() {
	local left
	if [[ ${WG_DEADLINE:-} ]]; then
		left=$((WG_DEADLINE - EPOCHSECONDS - $1))
		set -- "$1" timeout --verbose "$((left > 1 ? left : 1))" "${@:2}"
	fi
	"${@:2}"
}

"$WG_TOP/tools/setup.sh"
echo "kernel $(cat "$(kernel_folder)/release"), as Debian built it"
if ! step "wireguard.ko" "$log/build.log" "$WG_TOP/tools/build.sh" modules; then
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
cp "$WG_TOP/wireguard.ko" "$WG_OUT/wireguard.ko"
if ! step "wireguard.ko, with checks" "$log/build-check.log" "$WG_TOP/tools/build/variant.sh" check; then
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi

# Nothing was changed, so nothing is built, neither here nor in the kernel's own tree.
second_build() {
	local said
	said=$("$WG_TOP/tools/build.sh" modules) || return
	printf '%s\n' "$said"
	! grep -qE '^ +[A-Z]+ ' <<<"$said"
}
part "a second build, with nothing to do" "$log/second-build.log" second_build

# A machine with instruction-counted time uses one CPU and does not mind waiting for it, so it runs
# beside all the rest, which gets more patience. It takes longest.
export WG_PATIENCE="${WG_PATIENCE:-3}"
"$WG_TOP/tools/test-vm.sh" --no-build "${core[@]}" --mode icount >"$log/selftests-icount.log" 2>&1 &
icount=$!
trap 'kill "$icount" 2>/dev/null || true' EXIT

# First the host tests: they fetch the crates that a static check wants to see.
part "host tests" "$log/host.log" "$WG_TOP/tools/test/host.sh"
part "static checks" "$log/check.log" "$WG_TOP/tools/check.sh"
part "kernels that are refused" "$log/refusals.log" "$WG_TOP/tools/lanes/test-refusals.sh"
part "fuzzing, a short run" "$log/fuzz.log" "$WG_TOP/tools/fuzz/run"

echo "selftests in virtual machines, two CPUs:"
shown "$log/selftests-smp.log" "$WG_TOP/tools/test-vm.sh" --no-build "${core[@]}" --mode smp
echo "selftests in a virtual machine whose random numbers are not ready:"
shown "$log/selftests-unseeded.log" \
	"$WG_TOP/tools/test-vm.sh" --no-build "${core[@]}" --mode unseeded

if with selftests; then
	echo "selftests in virtual machines, four CPUs:"
	shown "$log/selftests-smp4.log" "$WG_TOP/tools/test-vm.sh" --no-build --mode smp4
fi

if with two-vms; then
	part "two virtual machines, ours and the C module" "$log/two-vms.log" "$WG_TOP/tools/test/two-vms.sh" --no-build
fi

if with install; then
	echo "installing, in virtual machines:"
	shown "$log/install.log" "$WG_TOP/tools/test/install.sh" --short
fi

if with diff; then
	echo "difference to the C driver, 500 000 netlink requests:"
	status=0
	# It tells of its progress on stderr.
	"$WG_TOP/tools/diff/run" --no-build >"$log/diff.log" || status=$?
	((!status)) || tail -n 30 "$log/diff.log"
	grep -h ' requests, of which ' "$log/diff.log" || true
	counted "$log/diff.log" "$status"
fi

if with paths; then
	echo "paths, ours beside the C driver:"
	shown "$log/paths.log" "$WG_TOP/tools/test/paths.sh" --no-build
fi

if with debug; then
	# The debug kernel is built once, which must not take the time that everything has to be
	# done in: a quarter of an hour of it is for the tests. What did not run has not passed.
	if "$WG_TOP/tools/debug/kernel.sh" um --cached || in_time 900 "$WG_TOP/tools/debug/kernel.sh" um; then
		shown "$log/debug.log" in_time 0 "$WG_TOP/tools/test/debug.sh" --short um
	else
		red+=("the debug kernel could not be built, or not in time" "")
		failed=$((failed + 1))
	fi
fi

if with lanes; then
	echo "other kernels and architectures:"
	# In time: what is left of it.
	shown "$log/lanes.log" in_time 60 "$WG_TOP/tools/lanes/run.sh" --cached
fi

echo "selftests in virtual machines, instruction-counted time:"
wait "$icount" || true
trap - EXIT
grep -v ' passed, ' "$log/selftests-icount.log" || true
counted "$log/selftests-icount.log"

# Which kernel to fall back on when the archive no longer has this series.
if ((failed == 0)); then
	touch "$(kernel_folder)/tested"
	"$WG_TOP/tools/lanes/note.sh" "make test"
fi
echo
((!${#red[@]})) || printf 'FAILED: %s\n%s\n\n' "${red[@]}"
tally
