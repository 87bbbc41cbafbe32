#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: one User Mode Linux, whose root file system is the folder /.guest. Takes what qemu.sh takes.
# usage: uml.sh MODE MEMORY JOB-FOLDER -serial file:FILE

set -euo pipefail

memory=$2
job=$3
[[ ${5:-} == file:* ]] || {
	echo "User Mode Linux has no shell to offer here" >&2
	exit 2
}

# Its memory is a file in TMPDIR. Idle time is skipped (time-travel), so waiting costs nothing; computing takes the
# time that it takes.
# shellcheck disable=SC2054,SC2206 # commas of the kernel's own; WG_WORDS is several words
words=(
	"mem=$memory" root=none rootfstype=hostfs rootflags=/.guest rw init="$WG_TOP/tools/vm/init.sh"
	"wg_job=$job" "wg_folders=$WG_TOP:$WG_KERNEL" wg_end=o
	time-travel uml_dir=/run/uml/ umid=guest con=null con0=null,fd:1 ssl=null console=tty0
	loglevel=6 oops=panic panic=-1 log_buf_len=64M
	kasan_multi_shot ${WG_WORDS:-}
)
mkdir -p /run/uml
TMPDIR=/tmp exec "$WG_KERNEL/vmlinux" "${words[@]}" >"${5#file:}" 2>&1
