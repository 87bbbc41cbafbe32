#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the module and runs selftests in virtual machines, one machine per mode.
# usage: test-vm.sh [--no-build] [--core] [--mode MODE] [--kernel FOLDER --as MODE --label WORD]
#                   [SETTING…] [NAME…]
#
# Default: all selftests; --core leaves out those that say "when: all". WG_MODULE=c tests the C
# module. --kernel takes another kernel, on which all tests run as if they had asked for --as MODE,
# and WG_KO names the module.
# Settings: accel=kvm, where that works, instead of an emulated processor in the modes in real time;
# for tests that make up what they send, seed=N and count=N; rows=NAME,NAME of the tests wgwhy…
# Logs: out/selftests/MODE or WORD/NAME.log, NAME.kernel.log, console.log, and results.ktap with
# all. Ends with "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/lib.sh"

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
words=()
for word; do
	case $word in
	accel=*) export WG_ACCEL=${word#*=} ;;
	count=*) export WG_COUNT=${word#*=} ;;
	rows=*)
		word=${word#*=}
		export WG_ROWS=${word//,/ }
		;;
	seed=*) export WG_SEED=${word#*=} ;;
	*) words+=("$word") ;;
	esac
done
set -- "${words[@]}"
mapfile -t known < <(selftest_names)
names=()
if (($#)); then
	for name; do
		# A path or a script's name is taken as well.
		name=$(basename "$name" .sh)
		[[ " ${known[*]} " == *" $name "* ]] ||
			die "there is no selftest '$name'; there are:"$'\n'"$(fold -s -w 98 <<<"${known[*]}")"
		names+=("$name")
	done
else
	for name in "${known[@]}"; do
		[[ $core && $(selftest_says "$name" when) == all ]] || names+=("$name")
	done
fi

# What has to be built for them.
declare -A needed=()
for name in "${names[@]}"; do
	# Machines of two modes may run side by side, and must not make anew what the other one
	# uses.
	[[ ! $only || $(selftest_says "$name" vm) == "$only" ]] || continue
	for need in $(selftest_says "$name" needs); do needed[$need]=yes; done
done

# With a look at each GSO packet that it sends. From a copy of the sources, as the next build
# (clippy's, say) may change the file beside them under the running guest.
if [[ $build ]]; then
	step "wireguard.ko, with checks" "$WG_OUT/log/build-check.log" "$WG_TOP/tools/build/variant.sh" check
fi
if [[ ! $kernel ]]; then
	export WG_KO=$WG_OUT/variants/check/wireguard.ko
fi
[[ ${WG_MODULE:-ours} == ours ]] || echo "the module under test is the C module (WG_MODULE=c)"

# What others wrote and has to be fetched may be missing; then the test that needs it fails, and
# only that one.
for need in "${!needed[@]}"; do
	case $need in
	c-module)
		WG_C_MODULE=$("$WG_TOP/tools/build/c-module.sh")
		export WG_C_MODULE
		;;
	paths)
		step "what sends and receives" "$WG_OUT/log/paths-programs.log" "$WG_TOP/selftests/paths/build.sh"
		export WG_PATHS_PROGRAMS=$WG_OUT/paths-programs
		;;
	faults) step "wireguard.ko, with faults" "$WG_OUT/log/build-faults.log" "$WG_TOP/tools/build/variant.sh" faults "$kernel" ;;
	bpftrace)
		WG_BPFTRACE=$("$WG_TOP/tools/build/foreign.sh" bpftrace || true)
		export WG_BPFTRACE
		;;
	boringtun)
		WG_BORINGTUN=$("$WG_TOP/tools/build/foreign.sh" boringtun || true)
		export WG_BORINGTUN
		;;
	wireguard-uapi)
		WG_UAPI=$("$WG_TOP/tools/build/foreign.sh" wireguard-uapi || true)
		export WG_UAPI
		;;
	*) step "the module $need of selftests/$need" "$WG_OUT/log/$need.log" "$WG_TOP/tools/build/test-module.sh" "$need" "$kernel" ;;
	esac
done

# group MODE NAME…: all these, in one machine, except those that ask for one of their own.
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
	results "$@" >"$job/results.ktap"
}

# results NAME…: the KTAP document of a group, in $job: that of each test is one item.
results() {
	local number=0 name
	printf 'KTAP version 1\n1..%d\n' $#
	for name; do
		number=$((number + 1))
		if [[ -s $job/$name.log ]]; then
			sed -E "1,2d; \$s/^((not )?ok) 1 /\1 $number /" "$job/$name.log"
		else
			echo "not ok $number $name"
		fi
	done
}

# machine MODE NAME…, for group, with logs in $job: boots as often as it takes; a test that ends the
# machine costs one more boot.
machine() {
	local mode=$1 name status results rest boots=0
	shift
	results=$job/results
	export WG_RESULTS=$results
	while (($#)); do
		: >"$results"
		rm -f "$job/watch"
		WG_WORDS="${WG_WORDS:-} $(selftest_says "$1" words)" \
			"$WG_TOP/tools/vm/boot.sh" ${kernel:+--kernel "$kernel"} --mode "$mode" --limit $((3600 * ${WG_PATIENCE:-1})) --job "$job" \
			--watch "$WG_TOP/tools/vm/watch.sh" -- "$WG_TOP/tools/vm/tests.sh" "$@" 2>"$job/boot.log" || true
		# An emulated machine may hang at boot when this one is busy; that says nothing
		# about the module.
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
			elif [[ $status == 4 ]]; then
				skipped=$((skipped + 1))
			elif [[ $status ]]; then
				failed=$((failed + 1))
			elif grep -qx "begin $name" "$results"; then
				failed=$((failed + 1))
				{
					echo "FAIL: the virtual machine ended under the test"
					cat "$job/boot.log"
					echo "not ok 1 $name"
				} >>"$job/$name.log"
				cp "$job/console.log" "$job/$name.console.log"
				printf '%-60s  FAILED, and took the virtual machine with it\n' "selftest $name (${label:-$mode})"
				excerpt "$job/$name.log"
				echo "--- all of it: ${job#"$WG_TOP"/}/$name{,.kernel,.console}.log"
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
if [[ ! $as && ! $only ]]; then
	for name in "${names[@]}"; do
		[[ $(selftest_says "$name" vm) == debug* ]] || continue
		printf '%-60s          skipped: it needs a kernel built for debugging: make test PART=debug CASE="um %s"\n' \
			"selftest $name" "$name"
		skipped=$((skipped + 1))
	done
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
echo "logs: out/selftests/${label:-{icount,smp,smp4,unseeded\}}/NAME.log"
tally
