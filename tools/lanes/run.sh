#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests lanes, which are kernels and machines beside the main one (tools/lanes/table), and notes
# what passed in docs/lanes.md. A lane that cannot be had says SKIP and why.
# usage: run.sh [--cached] [LANE…]
#
# Without a LANE: all. --cached: only those whose kernel is in the cache; they are compiled, and
# arm64 and rt boot with the selftest "tunnel". Nothing is noted then, and after five minutes no
# further lane is begun.
# Ends with "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

cached=
if [[ ${1:-} == --cached ]]; then
	cached=yes
	shift
fi
lanes=("$@")
((${#lanes[@]})) || mapfile -t lanes < <(awk '!/^#/ && $1 != "main" { print $1 }' "$WG_TOP/tools/lanes/table")

# cannot TEXT: the lane in $LANE is left out.
cannot() {
	printf 'SKIP lane %s: %s\n' "$LANE" "$1"
	skipped=$((skipped + 1))
}

# lane: the one in $LANE.
lane() {
	local names status=0 name log result=compiled,
	local counts=("$passed" "$failed" "$skipped")
	# The folders of this lane; it begins to count anew, too.
	. "$WG_TOP/tools/lib.sh"
	read -r passed failed skipped <<<"${counts[*]}"
	log=$WG_OUT/log
	mkdir -p "$log"
	if [[ $cached ]] && ((SECONDS > 300)); then
		cannot "no time is left in this run"
		return
	fi
	if [[ $cached && ! -d $(kernel_folder || true) ]]; then
		cannot "its kernel is not in the cache; 'make test LANE=$LANE' prepares it"
		return
	fi
	"$WG_TOP/tools/setup.sh" || status=$?
	case $status in
	0) ;;
	4)
		cannot "$(tail -n 1 "$log/skip")"
		return
		;;
	*)
		failed=$((failed + 1))
		return
		;;
	esac

	if ! step "lane $LANE: wireguard.ko for $(cat "$(kernel_folder)/release")" "$log/build-check.log" \
		"$WG_TOP/tools/build/variant.sh" check; then
		failed=$((failed + 1))
		return
	fi
	passed=$((passed + 1))

	read -ra names < <(lane_says selftests)
	if [[ $cached ]]; then
		names=(-)
		[[ $LANE != arm64 && $LANE != rt ]] || names=(tunnel)
	fi
	if [[ ${names[0]} != - ]]; then
		"$WG_TOP/tools/test-vm.sh" --no-build "${names[@]}" 2>&1 | tee "$log/selftests.log" | grep -v ' passed, ' || true
		for name in "${names[@]}"; do
			if grep -E "^selftest $name .* s\$" "$log/selftests.log" >/dev/null; then
				passed=$((passed + 1))
				result+=" $name,"
			elif grep -E "^selftest $name .* skipped: " "$log/selftests.log" >/dev/null; then
				skipped=$((skipped + 1))
				result+=" $name skipped,"
			else
				failed=$((failed + 1))
				result+=" **not $name**,"
			fi
		done
	fi
	[[ $cached ]] || "$WG_TOP/tools/lanes/note.sh" "${result%,}"
}

for LANE in "${lanes[@]}"; do
	export LANE
	lane
done
tally
