#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Called every moment while a machine runs entries: tells of those that ended, and fails when one
# has no time left.
# usage: watch.sh JOB-FOLDER

set -euo pipefail
. "$(dirname "$0")/../../tools/lib.sh"
. "$WG_TOP/tools/vm/events.sh"

job=$1

ended() {
	# shellcheck disable=SC2086 # an option, or none
	in_root python3 -B "$WG_TOP/selftests/paths/judge.py" "$WG_PATHS_FIGURES" ${WG_PATHS_JUDGE:-} "$1" || true
}

events "$job"
((spent <= 300 * ${WG_PATIENCE:-1}))
