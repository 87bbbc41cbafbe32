#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the module and runs selftests in virtual machines, one machine per mode.
# usage: test-vm.sh [--no-build] [--core] [--mode MODE] [--kernel FOLDER --as MODE --label WORD] [NAME…]
#
# Default: all selftests; --core leaves out those that say "when: all". MODULE=stock tests the C module. --kernel takes
# another kernel, on which all tests run as if they had asked for --as MODE, and WG_KO names the module.
# Logs: out/selftests/MODE or WORD/NAME.log, NAME.kernel.log, console.log. Ends with "N passed, M failed".

set -euo pipefail
. "$(dirname "$0")/lib.sh"

[[ ${MODULE:-} != stock ]] || export WG_MODULE=--stock

build=yes
core=
only=
kernel=
as=
label=
while [[ ${1:-} == --* ]]; do
	case $1 in
	--no-build) build= ;;
	--core) core=yes ;;
	--mode)
		only=$2
		shift
		;;
	--kernel)
		kernel=$2
		shift
		;;
	--as)
		as=$2
		shift
		;;
	--label)
		label=$2
		shift
		;;
	*) die "unknown option $1" ;;
	esac
	shift
done
names=("$@")
if ((!$#)); then
	for file in "$WG_TOP"/selftests/*.sh; do
		name=$(basename "$file" .sh)
		[[ $name == lib || ($core && $(selftest_says "$name" when) == all) ]] || names+=("$name")
	done
fi

# What has to be built for them.
declare -A needed=()
for name in "${names[@]}"; do
	[[ -f $WG_TOP/selftests/$name.sh ]] || die "there is no selftests/$name.sh"
	for need in $(selftest_says "$name" needs); do needed[$need]=yes; done
done

# With a look at each GSO packet that it sends. From a copy of the sources, as the next build (clippy's, say) may change
# the file beside them under the running guest.
if [[ $build ]]; then
	step "wireguard.ko, with checks" "$WG_OUT/log/build-check.log" "$WG_TOP/tools/variant.sh" check
fi
if [[ ! $kernel ]]; then
	export WG_KO=$WG_OUT/variants/check/wireguard.ko
fi

# What others wrote and crates.io has may be missing; then the test that needs it fails, and only that one.
for need in "${!needed[@]}"; do
	case $need in
	c-module)
		WG_C_MODULE=$("$WG_TOP/tools/c-module.sh")
		export WG_C_MODULE
		;;
	paths)
		step "what sends and receives" "$WG_OUT/log/paths-programs.log" "$WG_TOP/selftests/paths/build.sh"
		export WG_PATHS_PROGRAMS=$WG_OUT/paths-programs
		;;
	faults) step "wireguard.ko, with faults" "$WG_OUT/log/build-faults.log" "$WG_TOP/tools/variant.sh" faults "$kernel" ;;
	boringtun) export WG_BORINGTUN="${WG_BORINGTUN:-$("$WG_TOP/tools/foreign.sh" boringtun || true)}" ;;
	wireguard-uapi) export WG_UAPI="${WG_UAPI:-$("$WG_TOP/tools/foreign.sh" wireguard-uapi || true)}" ;;
	*) step "the module $need of selftests/$need" "$WG_OUT/log/$need.log" "$WG_TOP/tools/test-module.sh" "$need" "$kernel" ;;
	esac
done

passed=0
failed=0

# group MODE NAME…: all these, in one machine but for those that ask for one of their own.
group() {
	local mode=$1 name together=() job
	shift
	job=$WG_OUT/selftests/${label:-$mode}
	remove_tree "$job"
	mkdir -p "$job"
	for name; do
		if [[ $(selftest_says "$name" boot) == own ]]; then
			machine "$mode" "$name"
		else
			together+=("$name")
		fi
	done
	((${#together[@]} == 0)) || machine "$mode" "${together[@]}"
}

# machine MODE NAME…, for group, with logs in $job: boots as often as it takes; a test that ends the machine costs one
# more boot.
machine() {
	local mode=$1 name status results rest boots=0
	shift
	results=$job/results
	export WG_RESULTS=$results
	while (($#)); do
		: >"$results"
		rm -f "$job/watch"
		"$WG_TOP/tools/vm/boot.sh" ${kernel:+--kernel "$kernel"} --mode "$mode" --limit $((3600 * ${WG_PATIENCE:-1})) --job "$job" \
			--watch "$WG_TOP/tools/vm/watch.sh" -- "$WG_TOP/tools/vm/tests.sh" "$@" 2>"$job/boot.log" || true
		# An emulated machine may hang at boot when this one is busy; that says nothing about the module.
		if [[ ! -s $results ]] && ((boots++ < 1)); then
			printf 'the virtual machine (%s) did not start; one more try\n' "$mode"
			continue
		fi
		if [[ ! -s $results ]]; then
			printf 'the virtual machine (%s) did not start:\n' "$mode"
			cat "$job/boot.log"
			failed=$((failed + $#))
			return
		fi
		rest=()
		for name; do
			status=$(awk -v name="$name" '$1 == "end" && $2 == name { print $3 }' "$results")
			if [[ $status == 0 ]]; then
				passed=$((passed + 1))
			elif [[ $status ]]; then
				failed=$((failed + 1))
			elif grep -qx "begin $name" "$results"; then
				failed=$((failed + 1))
				cat "$job/boot.log" >>"$job/$name.log"
				printf '%-60s  FAILED, and took the virtual machine with it\n' "selftest $name (${label:-$mode})"
				tail -n 30 "$job/$name.log"
				cp "$job/console.log" "$job/$name.console.log"
			else
				rest+=("$name")
			fi
		done
		set -- "${rest[@]}"
	done
}

if [[ $as ]]; then
	group "$as" "${names[@]}"
fi
for mode in smp smp4 unseeded icount; do
	[[ ! $as ]] || break
	[[ ! $only || $only == "$mode" ]] || continue
	chosen=()
	for name in "${names[@]}"; do
		asked=$(selftest_says "$name" vm)
		[[ ${asked:-smp} != "$mode" ]] || chosen+=("$name")
	done
	((${#chosen[@]} == 0)) || group "$mode" "${chosen[@]}"
done
echo "$passed passed, $failed failed"
((failed == 0))
