#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Do the tests find what is wrong? Plants each fault of tools/planted/faults in a copy of the
# checkout and runs there the test that must turn red.
# usage: planted.sh [NAME | KIND]…    (default: all faults; a kind: selftest, um, x86, host, model, check, diff, paths)
#
# The copy is out/planted; it stays, so that each build is a small one. Logs:
# out/log/planted/NAME.log. Ends with "N passed, M failed, K skipped": a fault that is found has
# passed. A test without a verdict (no build, no machine) has failed.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

copy=$WG_OUT/planted
log=$WG_OUT/log/planted
reader=(python3 -B tools/planted/fault.py)
mkdir -p "$copy" "$log"
exec {planted_lock}>"$WG_OUT/.planted.lock"
flock -n "$planted_lock" || die "another run plants faults in this checkout"
unset KDIR WG_MODULE WG_KO WG_SOURCE

fresh_copy() {
	in_root rsync -rlp --checksum --delete --exclude-from="$WG_TOP/.gitignore" --exclude=/.git "$WG_TOP/" "$copy/"
}

# red KIND NAME…: runs that test in the copy.
red() {
	local kind=$1 name words=()
	shift
	case $kind in
	selftest) "$copy/tools/test-vm.sh" "$@" ;;
	um | x86) "$copy/tools/test/debug.sh" "$kind" "$@" ;;
	host)
		for name; do words+=(--test "$name"); done
		"$copy/tools/test/host.sh" "${words[@]}"
		;;
	model) "$copy/tools/test/models.sh" "$@" ;;
	check) "$copy/tools/check.sh" "$@" ;;
	diff) "$copy/tools/diff/run" count=40000 ;;
	paths) "$copy/tools/test/paths.sh" "$@" ;;
	esac
}

# verdict NAME TEST SAYS: "found", or why the test did not find this fault.
verdict() {
	local name=$1 test=$2 says=$3 output=$log/$1.log status=0
	fresh_copy
	in_root "${reader[@]}" plant "$copy" "$name" || return
	# shellcheck disable=SC2086 # a kind and names
	(red $test) >"$output" 2>&1 </dev/null || status=$?
	if ! grep -qE '^(test result: |[0-9]+ passed, )' "$output" || grep -q '^the virtual machine .* did not start:' "$output"; then
		echo "no verdict: $test did not run"
	elif ((!status)); then
		echo "NOT FOUND: $test passes"
	elif [[ $says ]] && ! grep -qF -- "$says" "$output"; then
		echo "NOT FOUND: $test fails, but does not say '$says'"
	else
		echo found
	fi
}

list=$(in_root "${reader[@]}" list "$WG_TOP" "$@") || exit
while IFS=$'\037' read -r -u 3 name test says breaks; do
	begin=$SECONDS
	word=$(verdict "$name" "$test" "$says")
	if [[ $word == found ]]; then
		passed=$((passed + 1))
		printf '%-60s%5d   s\n' "found by $test: $name" $((SECONDS - begin))
	else
		failed=$((failed + 1))
		printf '%-60s%5d   s  FAILED\n    %s\n    %s; see %s\n' "planted: $name" $((SECONDS - begin)) \
			"$breaks" "$word" "$log/$name.log"
	fi
done 3<<<"$(tr '\t' '\037' <<<"$list")"
tally
