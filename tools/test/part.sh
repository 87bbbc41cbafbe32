#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs the named parts of the tests one after the other: make test PART="…" CASE="…".
# usage: part.sh PARTS [CASE…]
#
# The parts, each with what CASE chooses in it; docs/testing.md also has the settings that it takes:
#   core       what "make test" runs; together with parts of tools/test.sh (diff, debug, …) these too
#   all        that, and all parts of tools/test.sh
#   host       tests of the protocol core on the host: arguments of cargo test
#   check      static checks: names
#   fuzz       fuzzing: names of targets
#   vm         selftests in virtual machines: names
#   upstream   netns.sh, the selftest in the kernel's source
#   debug      selftests on kernels built for debugging: um, x86, names
#   paths      the matrix of paths beside the C driver: names; smp4: on four CPUs
#   diff       netlink requests to ours and to the C driver: seed=N, count=N
#   two-vms    our module in one machine, the C module in another one
#   install    installing: plain, secureboot, dkms, deb, intree
#   lanes      other kernels and machines, as far as they are in the cache: names (tools/lanes/table)
#   planted    faults that the tests must find: names, or kinds of tests
#   memory     keys in a machine's memory, ours and the C module's: ours, c
#   fork       two copies of one saved machine: ours, c
#   mutants    mutation score of rust/proto: files
#   endurance  what takes hours, in shards: their names, or how these begin

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

read -ra parts <<<"${1:-}"
shift
tools=$WG_TOP/tools

if [[ " ${parts[*]} " == *" core "* ]]; then
	(($# == 0)) || die "the part 'core' takes no CASE"
	rest=" ${parts[*]} "
	# shellcheck disable=SC2086 # several words
	exec "$tools/test.sh" ${rest// core / }
fi

"$tools/setup.sh"
for part in "${parts[@]}"; do
	case $part in
	all) run=("$tools/test.sh" all) ;;
	host) run=("$tools/test/host.sh" "$@") ;;
	check) run=("$tools/check.sh" "$@") ;;
	fuzz) run=("$tools/fuzz/run" "$@") ;;
	vm) run=("$tools/test-vm.sh" "$@") ;;
	upstream) run=("$tools/test-vm.sh" upstream) ;;
	debug) run=("$tools/test/debug.sh" "$@") ;;
	diff) run=("$tools/diff/run" "$@") ;;
	paths) run=("$tools/test/paths.sh" "$@") ;;
	planted) run=("$tools/test/planted.sh" "$@") ;;
	install) run=("$tools/test/install.sh" "$@") ;;
	lanes) run=("$tools/lanes/run.sh" --cached "$@") ;;
	memory) run=("$tools/memory/run" "$@") ;;
	fork) run=("$tools/fork/run" "$@") ;;
	mutants) run=("$tools/mutants/run" "$@") ;;
	endurance) run=("$tools/endurance/run" "$@") ;;
	two-vms) run=("$tools/test/two-vms.sh") ;;
	*) die "there is no part '$part'; there are: $(sed -n 's/^#   \([a-z0-9-]*\) .*/\1/p' "$0" | paste -sd ' ')" ;;
	esac
	"${run[@]}" || status=1
done
exit "${status:-0}"
