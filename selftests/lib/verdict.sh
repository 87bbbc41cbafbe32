# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# How a test ends: failed, skipped, or by a command that failed; and where it stood then.

# What the last call of "answers" missed, if it did.
last_miss=

# fail TEXT: ends the test, and says where it stood; on a line that calls "answers" also what that
# missed.
fail() {
	[[ $(sed -n "${BASH_LINENO[0]}p" "${BASH_SOURCE[1]}") == *answers* ]] || last_miss=
	echo "FAIL: $*${last_miss:+: $last_miss}" >&2
	where 1 >&2
	exit 1
}

# skip REASON: ends the test, which cannot run here; the runner counts it apart.
skip() {
	echo "SKIP: $*"
	exit 4
}

# skip_on_c REASON: skips the test if the C module is under test, which lacks what it is about.
skip_on_c() {
	! on_c || skip "the C module: $*"
}

# left_out NAME REASON: says that this part of a test did not run here, and why: a subtest that is
# skipped.
left_out() {
	local file=${WG_KTAP:-/dev/null}
	echo "$1" >>"$file"
	echo "    ok $(grep -c . "$file" || true) $1 # SKIP $2"
}

# where SKIPPED-FRAMES: one line "at FILE:LINE: COMMAND" for each call that is under way, the
# innermost first.
where() {
	local frame file line
	for ((frame = $1 + 1; frame < ${#BASH_SOURCE[@]}; frame++)); do
		file=$(readlink -f "${BASH_SOURCE[frame]}")
		[[ -r $file ]] || continue
		line=${BASH_LINENO[frame - 1]}
		echo "    at ${file#"$WG_TOP"/}:$line: $(sed -n "${line}s/^[[:space:]]*//p" "$file")"
	done
}

# A command that fails ends the test (set -e), and says which it was. In a subshell it is the whole
# subshell that fails, and where "set -e" is off, nothing does.
failed_command() {
	local status=$1 command=$2
	if ((BASH_SUBSHELL == 0)) && [[ $- == *e* ]]; then
		echo "FAIL: status $status of: ${command%%$'\n'*}" >&2
		where 1 >&2
	fi
}
trap 'failed_command $? "$BASH_COMMAND"' ERR

# refuses COMMAND…: the command must fail. Its message is kept in $message.
refuses() {
	# shellcheck disable=SC2034 # for the caller
	if message=$("$@" 2>&1); then
		fail "'$*' should have failed"
	fi
}
