#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Boots the stock kernel in QEMU (or another with --kernel), runs a script in it as root, and ends
# with the script's exit status. The guest sees the root and the checkout read-only, and out/
# writable, under the paths they have here.
# usage: boot.sh [--kernel FOLDER] [--mode smp|smp4|unseeded|up|icount|um|clock] [--memory 1G]
#                [--limit SECONDS] [--job FOLDER]
#                [--interactive] [--watch COMMAND] [--machine FOLDER[:LAYER] [--image FILE]] -- SCRIPT [ARGUMENTS]
#
# --kernel names a folder with vmlinux and stock/usr/lib/modules; modes um and clock take vmlinux
# for User Mode Linux.
# FOLDER (below out/) keeps console.log, output.log and status; without --job it is out/vm/boot, and
# the output is printed as well. COMMAND is run every second
# with FOLDER as argument while the machine runs, and stops it by failing.
# --machine: the guest's root, modules included, is the writable one of in_root -w; --image: its
# kernel, a path there.
# Exit status: that of SCRIPT; 124 when the time is over; 125 when the machine ended without one (a
# crash).

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

mode=smp
memory=1G
limit=300
job=$WG_OUT/vm/boot
interactive=
watch=true
disk=()
unset WG_IMAGE
kernel=
while (($#)); do
	case $1 in
	--kernel) kernel=$2 ;;
	--mode) mode=$2 ;;
	--memory) memory=$2 ;;
	--limit) limit=$2 ;;
	--job) job=$(realpath -m "$2") ;;
	--watch) watch=$2 ;;
	--machine) disk=(-w "$2") ;;
	--image) export WG_IMAGE=$2 ;;
	--interactive)
		interactive=yes
		shift
		continue
		;;
	--)
		shift
		break
		;;
	*) die "unknown option $1 (see the top of $0)" ;;
	esac
	shift 2
done
(($#)) || die "no script to run in the guest"
[[ $job == "$WG_OUT"/* ]] || die "the folder of a job must lie below $WG_OUT"
[[ $1 != */* || $(realpath -m "$1") == "$WG_TOP"/* ]] || die "the guest sees only what lies below $WG_TOP, so not $1"

[[ $kernel ]] || kernel=$(kernel_folder) || die "no kernel is prepared; 'make setup' does it"
for folder in "$WG_TOP" "$kernel"; do
	[[ ! $folder =~ ^/(dev|proc|run|sys)/ ]] || die "$folder cannot be shown to the guest: it would hide the guest's own /${BASH_REMATCH[1]}"
done
export WG_KERNEL=$kernel
[[ ! $interactive ]] || export WG_WORDS=quiet
mkdir -p "$job"
rm -f "$job"/{status,output.log,console.log}

guest=()
tty=ttyS0
if [[ $(lane_says arch) != amd64 ]]; then
	guest=(-g "$(layer_folder guest)")
	tty=ttyAMA0
fi

# What the guest runs: environment and words, quoted by the shell.
{
	echo "cd $(printf %q "$WG_TOP")"
	for name in "${!WG_@}"; do printf 'export %s=%q\n' "$name" "${!name}"; done
	if [[ $interactive ]]; then
		printf 'setsid --ctty --wait '
		printf '%q ' "$@"
		printf '<>/dev/%s >&0 2>&1\n' "$tty"
	else
		printf '%q ' "$@"
		printf '>%q 2>&1 </dev/null\n' "$job/output.log"
	fi
} >"$job/job.sh"

program=qemu.sh
if [[ $mode == um || $mode == clock ]]; then
	program=uml.sh
fi
run=(in_root "${disk[@]}" -v "${guest[@]}" -b "$kernel" "$WG_TOP/tools/vm/$program" "$mode" "$memory" "$job")

if [[ $interactive ]]; then
	"${run[@]}" -serial mon:stdio || true
	exit 0
fi

"${run[@]}" -serial "file:$job/console.log" >"$job/qemu.log" 2>&1 </dev/null &
machine=$!
# Killing the outer process ends the whole process namespace: QEMU and virtiofsd go with it.
trap 'kill -KILL "$machine" 2>/dev/null || true' EXIT

ended=125
deadline=$((SECONDS + limit))
while kill -0 "$machine" 2>/dev/null; do
	if ((SECONDS >= deadline)) || ! "$watch" "$job"; then
		kill -KILL "$machine" 2>/dev/null || true
		ended=124
		break
	fi
	sleep 0.2
done
wait "$machine" 2>/dev/null || true
"$watch" "$job" || true

[[ $job != "$WG_OUT/vm/boot" || ! -e $job/output.log ]] || cat "$job/output.log"
if [[ -s $job/status ]]; then
	exit "$(cat "$job/status")"
fi
{
	if ((ended == 124)); then
		echo "the virtual machine was stopped: no time left"
	else
		echo "the virtual machine ended on its own before the script did"
	fi
	echo "--- end of $job/console.log"
	tail -n 40 "$job/console.log" 2>/dev/null || tail -n 20 "$job/qemu.log"
} >&2
exit "$ended"
