#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: debug
# limit: 120
# The KUnit tests of rust/kernel, which run while the module is loaded by a kernel that has KUnit.

. "$(dirname "$0")/../lib.sh"

written=$(grep -rh '#\[test\]' "$WG_TOP/rust/kernel" | wc -l)
((written > 0)) || fail "rust/kernel has no tests"
filter=/sys/module/kunit/parameters/filter_glob
[[ -e $filter ]] || skip "this kernel has no KUnit"

# The newline of an echo would be part of the pattern.
printf 'kext_*' >"$filter"
load_module
printf none >"$filter"

# The kernel's KTAP lines without their times: what "kunit.py parse" reads.
report=$work/kunit.ktap
kernel_log | sed -n '/KTAP version/,$ { s/^\[[^]]*\] \?//; p }' | grep -E '^( |KTAP version|1\.\.|(not )?ok |# )' >"$report" || true
[[ ! ${WG_RESULTS:-} ]] || cp "$report" "$(dirname "$WG_RESULTS")/kunit.ktap"
# The suites are this test's subtests.
grep -E '^(not )?ok ' "$report" >>"$WG_KTAP" || true
sed '1,2d; s/^/    /' "$report"

# Results of tests stand one deeper than those of the suites themselves.
results=$(grep -E '^ +(not )?ok ' "$report" || true)
! grep -E 'not ok|# SKIP' <<<"$results" || fail "a test failed or was left out"
ran=$(grep -c . <<<"$results" || true)
[[ $ran == "$written" ]] || fail "$ran tests ran, but $written are written"
