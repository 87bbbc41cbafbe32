# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Functions for watchers of a guest (boot.sh --watch). The guest writes lines "begin NAME" and "end
# NAME RESULT" to JOB/results.
# The clock is this machine's: the guest's may run at any pace, or stand still after a crash.

# events JOB: calls "ended NAME RESULT SECONDS", a function of the caller's, for each that ended
# since the last time.
# Afterwards $under_way is the name of the one that has begun and not ended, and $spent the seconds
# since the last event.
events() {
	local state=$1/watch seen=0 since=$EPOCHSECONDS event name result
	under_way=
	if [[ -f $state ]]; then read -r seen since under_way <"$state"; fi
	while read -r event name result; do
		seen=$((seen + 1))
		under_way=
		if [[ $event == begin ]]; then
			under_way=$name
		else
			ended "$name" "$result" $((EPOCHSECONDS - since))
		fi
		since=$EPOCHSECONDS
	done < <(tail -n +$((seen + 1)) "$1/results")
	echo "$seen $since $under_way" >"$state"
	# shellcheck disable=SC2034 # for the caller
	spent=$((EPOCHSECONDS - since))
}
