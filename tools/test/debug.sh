#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests on kernels built for debugging: "um", User Mode Linux that watches memory (KASAN, kmemleak,
# failing allocations, KUnit), and "x86" in QEMU with two CPUs that watches locks. Without words:
# both.
# usage: debug.sh [--short] [um] [x86] [SETTING…] [NAME…]   (names: only these selftests)
#
# Settings: turmoil=SECONDS (default 300; short: 20); seed=N and count=N as test-vm.sh has them.
# --short is for every run of all tests: fewer selftests.
# A whole part (no names, turmoil of 300 seconds) that finds nothing is noted in
# tools/debug/LAST-RUN.

set -euo pipefail
. "$(dirname "$0")/../debug/lib.sh"

short=
if [[ ${1:-} == --short ]]; then
	short=yes
	shift
fi
parts=()
names=()
settings=()
turmoil=${short:+20}
for word; do
	case $word in
	um | x86) parts+=("$word") ;;
	turmoil=*) declare "$word" ;;
	seed=* | count=*) settings+=("$word") ;;
	*) names+=("$word") ;;
	esac
done
((${#parts[@]})) || parts=(um x86)

log=$WG_OUT/log
out=$WG_OUT/debug
mkdir -p "$log" "$out"

# What all parts are built from. A note of an earlier run is no change.
state=$(git -C "$WG_TOP" rev-parse HEAD 2>/dev/null || echo unknown)
if [[ $(git -C "$WG_TOP" status --porcelain -- . ':!tools/debug/LAST-RUN' 2>/dev/null) ]]; then
	state+=", with changes"
fi

if [[ $short ]]; then
	tests=(kunit tunnel ipsec netlink-errors netlink-set psk up-down allowed-ips unload turmoil fail-nth upstream)
else
	tests=(kunit)
	for name in $(selftest_names); do
		[[ $name == kunit ]] || tests+=("$name")
	done
fi
export WG_TURMOIL=${turmoil:-300}
if ((${#names[@]})); then tests=("${names[@]}"); fi

# machine NAME: how test-vm.sh runs this kernel.
machine() {
	case $1 in
	um) echo um ;;
	x86) echo smp ;;
	esac
}

# patience NAME: these kernels are slow, beside what the machine at hand asks for.
patience() {
	case $1 in
	um) echo $((${WG_PATIENCE:-1} * 4)) ;;
	x86) echo $((${WG_PATIENCE:-1} * 8)) ;;
	esac
}

# selftests NAME FOLDER LABEL TEST…: these on the debug kernel NAME with the module in FOLDER.
selftests() {
	local name=$1 folder=$2 label=$3
	shift 3
	WG_KO=$folder/wireguard.ko WG_PATIENCE=$(patience "$name") WG_WORDS="kunit.enable=1 kunit.autorun=1 kunit.filter_glob=none log_buf_len=64M workqueue.watchdog_thresh=600" \
		"$WG_TOP/tools/test-vm.sh" --no-build --kernel "$(debug_kernel "$name")" --as "$(machine "$name")" --label "$label" "${settings[@]}" "$@"
}

# ready NAME: its kernel and module.
ready() {
	if ! "$WG_TOP/tools/debug/kernel.sh" "$1" ||
		! step "wireguard.ko for the debug kernel $1" "$log/build-$1.log" debug_module "$1" "$out/$1"; then
		failed=$((failed + 1))
		return 1
	fi
}

# left_out NAME TEST: why this test does not run on this kernel; nothing if it does.
left_out() {
	case $1:$2 in
	um:timer-*) echo "with 100 ticks a second its timers are later than the windows of the test allow" ;;
	um:wireguard-go) echo "the program sets a timer after it has sent, and an answer that is there by then does not stop it" ;;
	um:turns) echo "the next task to run depends on how long each has run, which is exact only where time is counted in instructions" ;;
	um:small-writes) echo "at its speed and with 100 ticks a second, most of what is written goes out before a stream is known" ;;
	*:early-random) echo "this machine's random numbers are ready too early" ;;
	um:hotplug | um:progress | um:starved | um:starved-peers) echo "User Mode Linux has one CPU here" ;;
	x86:fail-nth | x86:memory-pressure) echo "failing allocations are a matter of User Mode Linux" ;;
	x86:wgwhy*) echo "its program looks at a host from outside, and waits for half an hour here; User Mode Linux runs it" ;;
	x86:scale) echo "it measures, which says nothing on a kernel that checks every lock" ;;
	um:scale) echo "it measures, which says nothing on a kernel that checks every byte" ;;
	um:forged) echo "what was freed counts as memory for a while, as KASAN watches it" ;;
	# Packets that are many at once: two CPUs and KASAN have more to say about them than exact
	# times.
	x86:udp-gso | x86:gro-list) ;;
	*)
		if grep -qw c-module <<<"$(selftest_says "$2" needs)"; then
			echo "the C driver beside ours is built for the stock kernel alone"
		elif [[ $1 == x86 && $(selftest_says "$2" vm) == icount ]]; then
			# Some wait for minutes, or are exact about times or about who is faster.
			echo "its time is counted in instructions, this machine's is real"
		fi
		;;
	esac
}

run_kernel() {
	local chosen=() test reason
	ready "$1" || return 0
	for test in "${tests[@]}"; do
		reason=$(left_out "$1" "$test")
		if [[ $reason ]]; then
			echo "selftest $test (debug-$1)  skipped: $reason"
			skipped=$((skipped + 1))
		else
			chosen+=("$test")
		fi
	done
	echo "selftests on the debug kernel $1 ($(cat "$(debug_kernel "$1")/release")):"
	selftests "$1" "$out/$1" "debug-$1" "${chosen[@]}" 2>&1 | tee "$log/selftests-debug-$1.log" | grep --line-buffered -v ' passed, ' || true
	add "$log/selftests-debug-$1.log"
	# One that says nothing at its end has failed.
	grep -q ' passed, ' "$log/selftests-debug-$1.log" || failed=$((failed + 1))
}

# noted PART PASSED SKIPPED SECONDS: notes that this part found nothing.
noted() {
	local file=$WG_TOP/tools/debug/LAST-RUN name old
	old=$(cat "$file" 2>/dev/null || true)
	{
		echo "# SPDX-License-Identifier: GPL-2.0"
		echo "# The last whole run of each part of 'make test PART=debug' that found nothing."
		for name in um x86; do
			echo
			if [[ $name != "$1" ]]; then
				awk -v RS= -v name="$name:" '$1 == name { seen = 1; print } END { if (!seen) print name, "never" }' <<<"$old"
				continue
			fi
			echo "$1: $2 passed, 0 failed, $3 skipped"
			echo "    ended   $(date -u '+%Y-%m-%d %H:%M UTC'), after $((($4 + 59) / 60)) minutes"
			echo "    kernel  $(cat "$(debug_kernel "$1")/release"), $(basename "$(debug_kernel "$1")")"
			echo "    commit  $state"
			echo "    turmoil $WG_TURMOIL s"
		done
	} >"$file"
}

# whole PART: runs it, and notes it if it was whole.
whole() {
	# shellcheck disable=SC2154 # of lib.sh
	local before=$passed begin=$SECONDS bad=$failed left=$skipped
	"${@:2}"
	if ((failed == bad && WG_TURMOIL >= 300)) && [[ ! $short ]] && ((!${#names[@]})); then
		noted "$1" $((passed - before)) $((skipped - left)) $((SECONDS - begin))
	fi
}

"$WG_TOP/tools/setup.sh"
for part in "${parts[@]}"; do
	whole "$part" run_kernel "$part"
done
tally
