#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Sets up what is missing, builds the module, and shows a tunnel at work on the stock kernel.
# usage: run.sh    (WG_MODULE=c: Debian's own C module instead of ours)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

((!$#)) || die "unknown words: $*"

begin=$SECONDS
"$WG_TOP/tools/setup.sh"
echo "kernel $(cat "$(kernel_folder)/release"), as Debian built it"
if [[ ${WG_MODULE:-ours} == ours ]]; then
	step "wireguard.ko" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
	export WG_KO=$WG_TOP/wireguard.ko
fi

# The guest's lines are shown as they come.
job=$WG_OUT/vm/run
mkdir -p "$job"
exec {run_lock}>"$job/.lock"
flock -n "$run_lock" || die "another 'make run' of this checkout is under way"
rm -f "$job/output.log"
boot=${EPOCHREALTIME/./}
"$WG_TOP/tools/vm/boot.sh" --job "$job" --limit 180 -- "$WG_TOP/tools/vm/demo.sh" 2>"$job/boot.log" &
machine=$!
trap 'kill "$machine" 2>/dev/null || true' EXIT
until [[ -e $job/output.log ]] || ! kill -0 "$machine" 2>/dev/null; do sleep 0.1; done
tenths=$(((${EPOCHREALTIME/./} - boot) / 100000))
printf '%-60s%5d.%d s\n' "virtual machine up" $((tenths / 10)) $((tenths % 10))
[[ ! -e $job/output.log ]] || tail -n +1 -f --pid "$machine" --sleep-interval 0.2 "$job/output.log"
status=0
wait "$machine" || status=$?
trap - EXIT
if ((status)); then
	cat "$job/boot.log" >&2
	die "the demonstration failed (status $status); all logs are in $job"
fi
echo
echo "all of it in $((SECONDS - begin)) s; logs: out/vm/run, next: make test, make shell"
