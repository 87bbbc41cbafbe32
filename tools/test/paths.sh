#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The matrix: every path of selftests/paths with ours and with the C driver, in turns, compared by
# machine.
# usage: paths.sh [--no-build] [smp4] [NAME…]     (default: all entries)
#
# smp4: four CPUs in real time, without the comparison of throughput. Leaves out/paths/result.json
# and what the machines said in out/paths/GROUP. Ends with
# "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

folder=$WG_TOP/selftests/paths
mode=icount
judge=()
build=yes
if [[ ${1:-} == --no-build ]]; then
	build=
	shift
fi
if [[ ${1:-} == smp4 ]]; then
	mode=smp4
	judge=(--order-only)
	shift
fi

if [[ $build ]]; then
	step "wireguard.ko" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
	cp "$WG_TOP/wireguard.ko" "$WG_OUT/wireguard.ko"
fi
step "what sends and receives" "$WG_OUT/log/paths-programs.log" "$folder/build.sh"
WG_C_MODULE=$("$WG_TOP/tools/build/c-module.sh")
export WG_PATHS_PROGRAMS=$WG_OUT/paths-programs
export WG_C_MODULE WG_KO=$WG_OUT/wireguard.ko WG_PATHS_MODE=$mode WG_PATHS_JUDGE="${judge[*]}"
unset WG_MODULE

# entries: "NAME GROUP CARDS" of each, in the order of the files; one with a machine of its own is a
# group of its own.
entries() {
	local file
	for file in "$folder"/entries/*.sh; do
		sed -n "s/^# entry: \([^:]*\).*/\1/p" "$file" | awk -v group="$(basename "$file" .sh)" '{
			for (i = 2; i <= NF; i++) { split($i, of, "="); option[of[1]] = of[2] }
			print $1, (option["boot"] == "own" ? $1 : option["group"] ? option["group"] : group), option["cards"]
			delete option
		}'
	done
}

declare -A group=() cards=()
known=()
while read -r name where model; do
	[[ ! ${group[$name]:-} ]] || die "two entries are called $name"
	group[$name]=$where
	cards[$where]=$model
	known+=("$name")
done < <(entries)
names=("$@")
(($#)) || names=("${known[@]}")
order=()
declare -A members=()
for name in "${names[@]}"; do
	[[ ${group[$name]:-} ]] || die "there is no entry $name"
	[[ ${members[${group[$name]}]:-} ]] || order+=("${group[$name]}")
	members[${group[$name]}]+=" $name"
done

remove_tree "$WG_OUT/paths"
mkdir -p "$WG_OUT/paths"
figures=$WG_OUT/paths/figures
: >"$figures"
export WG_PATHS_FIGURES=$figures
# The driver logs each listening port that is taken already, and a console is slow to emulate.
export WG_WORDS="loglevel=3"
done=()

# machine GROUP NAME…: boots as often as it takes; an entry that ends the machine costs one more
# boot.
machine() {
	local job=$WG_OUT/paths/$1 name rest boots=0
	shift
	mkdir -p "$job"
	export WG_RESULTS=$job/results
	while (($#)); do
		: >"$WG_RESULTS"
		rm -f "$job/watch"
		"$WG_TOP/tools/vm/boot.sh" --mode "$mode" --limit 7200 --job "$job" --watch "$folder/watch.sh" -- \
			"$folder/run.sh" "$@" 2>"$job/boot.log" || true
		if [[ ! -s $WG_RESULTS ]] && ((boots++ < 1)); then
			continue
		fi
		rest=()
		for name; do
			if grep -qx "end $name 0" "$WG_RESULTS"; then
				done+=("$name")
			elif grep -qx "begin $name" "$WG_RESULTS" || [[ ! -s $WG_RESULTS ]]; then
				done+=("!$name")
				cp "$job/console.log" "$job/$name.console.log"
				in_root python3 -B "$folder/judge.py" "$figures" "!$name" || true
				grep -hE 'kernel BUG|Kernel panic|Out of memory|no time left' "$job/$name.console.log" "$job/boot.log" | head -n 3 || true
			else
				rest+=("$name")
			fi
		done
		set -- "${rest[@]}"
	done
}

for name in "${order[@]}"; do
	# shellcheck disable=SC2086 # several words
	WG_CARDS=${cards[$name]} machine "$name" ${members[$name]}
done
status=0
in_root python3 -B "$folder/judge.py" "$figures" "${judge[@]}" --json "$WG_OUT/paths/result.json" "${done[@]}" \
	>"$WG_OUT/paths/table.txt" 2>&1 || status=$?
failed=$(grep -c '^[^ ].* RED ' "$WG_OUT/paths/table.txt" || true)
if ((status && !failed)); then
	cat "$WG_OUT/paths/table.txt"
	die "the figures could not be compared"
fi
passed=$((${#done[@]} - failed))
tally
exit "$status"
