#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while selftests run in a guest: reports those that ended, and fails when one has no time left.
# usage: watch.sh JOB-FOLDER

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/events.sh"

job=$1

ended() {
	printf '%-60s%5d   s' "selftest $1 ($(basename "$job"))" "$3"
	if [[ $2 == 0 ]]; then
		echo
	else
		echo "  FAILED"
		echo "--- end of $job/$1.log"
		tail -n 30 "$job/$1.log"
		echo ---
	fi
}

events "$job"
# Until a test has begun it is the boot that takes its time.
limit=90
if [[ $under_way ]]; then
	limit=$(selftest_says "$under_way" limit)
fi
((spent <= ${limit:-60} * ${WG_PATIENCE:-1}))
