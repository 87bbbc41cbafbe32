#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 400
# boot: own
# needs: c-module paths
# A dozen entries of the matrix of paths, ours beside the C driver; "make test PART=paths" has all
# of them (see paths/run.sh).

. "$(dirname "$0")/../lib.sh"

skip_on_c "it is compared in each entry already"

mapfile -t entries < <(sed -n 's/^# entry: \([^ ]*\) .*\bcore=yes.*/\1/p' "$WG_TOP"/selftests/paths/entries/*.sh)
((${#entries[@]} >= 12)) || fail "there are only ${#entries[@]} entries"
export WG_RESULTS=$work/results WG_PATHS_FIGURES=$work/figures WG_PATHS_MODE=icount
# The runner has processes of its own that are never idle.
idling bash "$WG_TOP/selftests/paths/run.sh" "${entries[@]}"
# What the runner has marked in the kernel's log is looked at there.
mark_log paths
python3 -B "$WG_TOP/selftests/paths/judge.py" "$WG_PATHS_FIGURES" "${entries[@]}"
