#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: debug
# limit: 120
# The KUnit tests of rust/kernel, which run while the module is loaded by a kernel that has KUnit.

. "$(dirname "$0")/lib.sh"

written=$(grep -rh '#\[test\]' "$WG_TOP/rust/kernel" | wc -l)
((written > 0)) || fail "rust/kernel has no tests"
filter=/sys/module/kunit/parameters/filter_glob
[[ -e $filter ]] || fail "this kernel has no KUnit"

# The newline of an echo would be part of the pattern.
printf 'kext_*' >"$filter"
load_module
printf none >"$filter"

# "ok" and "not ok" lines stand under "# Subtest", one deeper than those of the suites themselves.
results=$(kernel_log | sed -n '/# Subtest: kext_/,$p' | grep -oE '  +(not )?ok [0-9]+ [A-Za-z_0-9]+.*' | grep -v ' kext_' || true)
echo "$results"
if grep -E 'not ok|# SKIP' <<<"$results"; then
	kernel_log | grep -A 20 '# Subtest' | tail -n 100
	fail "a test failed or was left out"
fi
ran=$(grep -c . <<<"$results" || true)
[[ $ran == "$written" ]] || fail "$ran tests ran, but $written are written: $(kernel_log | tail -n 60)"
