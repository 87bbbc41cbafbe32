#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while selftests run in a guest: reports those that ended, and fails when one
# has no time left.
# usage: watch.sh JOB-FOLDER

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/events.sh"

job=$1

ended() {
	printf '%-60s%5d   s' "selftest $1 ($(basename "$job"))" "$3"
	case $2 in
	0) echo ;;
	4) echo "  skipped: $(sed -n 's/^SKIP: //p' "$job/$1.log" | tail -n 1)" ;;
	*)
		echo "  FAILED"
		excerpt "$job/$1.log"
		echo "--- all of it: ${job#"$WG_TOP"/}/$1{,.kernel}.log"
		;;
	esac
}

events "$job"
# Until a test has begun it is the boot that takes its time.
limit=90
if [[ $under_way ]]; then
	limit=$(selftest_says "$under_way" limit)
fi
((spent <= ${limit:-60} * ${WG_PATIENCE:-1}))
