#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while a plan is carried out in a guest: tells of each run that ended, and fails when one takes
# longer than it ever should. The clock is this machine's.
# usage: watch.sh JOB-FOLDER

set -euo pipefail

job=$1
state=$job/watch
seen=0
since=$EPOCHSECONDS
if [[ -f $state ]]; then read -r seen since <"$state"; fi

while read -r event number result; do
	seen=$((seen + 1))
	[[ $event != begin ]] || since=$EPOCHSECONDS
	[[ $event == end ]] || continue
	words=$(awk -v number="$number" '$1 == number { $1 = ""; print }' "$job/plan")
	printf '%s %3d of %d:%s: %s(%d s)\n' "$(basename "$job")" $((number + 1)) "$(wc -l <"$job/plan")" \
		"$words" "$result" $((EPOCHSECONDS - since))
	since=$EPOCHSECONDS
done < <(tail -n +$((seen + 1)) "$job/results")
echo "$seen $since" >"$state"
((EPOCHSECONDS - since <= 600 * ${WG_PATIENCE:-1}))
