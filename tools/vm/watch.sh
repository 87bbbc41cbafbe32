#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while selftests run in a guest: reports those that ended, and fails when one has no time left.
# The clock is this machine's: the guest's may run at any pace, or stand still after a crash.
# usage: watch.sh JOB-FOLDER

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

job=$1
state=$job/watch
seen=0
since=$EPOCHSECONDS
if [[ -f $state ]]; then read -r seen since <"$state"; fi

while read -r event name status; do
	seen=$((seen + 1))
	if [[ $event == end ]]; then
		text=$(printf '%-60s%5d   s' "selftest $name ($(basename "$job"))" $((EPOCHSECONDS - since)))
		if [[ $status == 0 ]]; then
			echo "$text"
		else
			echo "$text  FAILED"
			echo "--- end of $job/$name.log"
			tail -n 30 "$job/$name.log"
			echo ---
		fi
	fi
	since=$EPOCHSECONDS
done < <(tail -n +$((seen + 1)) "$job/results")
echo "$seen $since" >"$state"

# Until a test has begun it is the boot that takes its time.
limit=90
name=$(awk '{ name = $1 == "begin" ? $2 : "" } END { print name }' "$job/results")
if [[ $name ]]; then
	asked=$(selftest_says "$name" limit)
	limit=${asked:-60}
fi
((EPOCHSECONDS - since <= limit * ${WG_PATIENCE:-1}))
