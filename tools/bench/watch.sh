#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while a plan is carried out in a guest: tells of each run that ended, and
# fails when one takes longer than it ever should.
# usage: watch.sh JOB-FOLDER

set -euo pipefail
. "$(dirname "$0")/../vm/events.sh"

job=$1

ended() {
	local words
	words=$(awk -v number="$1" '$1 == number { $1 = ""; print }' "$job/plan")
	printf '%s %3d of %d:%s: %s (%d s)\n' "$(basename "$job")" $(($1 + 1)) "$(wc -l <"$job/plan")" "$words" "$2" "$3"
}

events "$job"
((spent <= 600 * ${WG_PATIENCE:-1}))
