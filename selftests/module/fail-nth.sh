#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: debug
# limit: 1200
# log: Call Trace|kmemleak: Cannot allocate|kmemleak_alloc|WARNING: (lib/dynamic_debug|kernel/trace/trace_events).c
# Each single allocation fails once while the module loads, a link is added and goes up, peers and
# keys are set: the request fails with ENOMEM or succeeds, and nothing is half done. What fails may
# also be the memory of kmemleak, vmalloc, dynamic debug or tracing, of which they tell.

. "$(dirname "$0")/../lib.sh"

failslab=/sys/kernel/debug/failslab
[[ -e $failslab ]] || fail "this kernel has no failslab"
# Also allocations that may sleep; without a stack trace each, which would look like a complaint.
echo N >"$failslab/ignore-gfp-wait"
echo 0 >"$failslab/verbose"
# Only slab objects: user space's own pages are not what this is about.
echo 10 >/sys/kernel/debug/fail_page_alloc/min-order

# The kernel must not load its own module where ours failed.
echo /bin/false >/proc/sys/kernel/modprobe
printf none >/sys/module/kunit/parameters/filter_glob
load_module
unload_module
python3 -B "$WG_TOP/selftests/module/fail-nth.py"
