#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: one User Mode Linux, whose root file system is the folder /.guest. Takes what
# qemu.sh takes.
# usage: uml.sh MODE MEMORY JOB-FOLDER -serial file:FILE

set -euo pipefail

memory=$2
job=$3
run=()
[[ ${5:-} == file:* ]] || {
	echo "User Mode Linux has no shell to offer here" >&2
	exit 2
}

case $1 in
# Idle time is skipped (time-travel), so waiting costs nothing; computing takes the time that it
# takes.
um) words=(time-travel log_buf_len=64M kasan_multi_shot) ;;
# Its CPU time is what is measured (tools/bench/clock-guest.sh).
clock)
	words=(ncpus=1 seccomp=on log_buf_len=4M)
	run=(taskset --cpu-list "$(($(nproc) - 1))")
	# A kernel maps its memory by large pages.
	mount -t tmpfs -o huge=always tmpfs /tmp
	;;
esac

# Its memory is a file in TMPDIR.
# shellcheck disable=SC2054,SC2206 # commas of the kernel's own; WG_WORDS is several words
words+=(
	"mem=$memory" root=none rootfstype=hostfs rootflags=/.guest rw init="$WG_TOP/tools/vm/init.sh"
	"wg_job=$job" "wg_folders=$WG_TOP:$WG_KERNEL" wg_end=o
	uml_dir=/run/uml/ umid=guest con=null con0=null,fd:1 ssl=null console=tty0
	loglevel=6 oops=panic panic=-1 ${WG_WORDS:-}
)
mkdir -p /run/uml
TMPDIR=/tmp exec "${run[@]}" "$WG_KERNEL/vmlinux" "${words[@]}" >"${5#file:}" 2>&1
