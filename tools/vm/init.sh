#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of the guest: mounts what a script expects, runs the job, and ends the machine.
# The kernel hands down "wg_job=FOLDER" and "wg_folders=CHECKOUT:KERNEL" of its command line as
# environment variables.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run

# A checkout or cache below /tmp must not vanish under the guest's own /tmp.
mkdir /run/all
mount --bind / /run/all
mount -t tmpfs tmpfs /tmp
# shellcheck disable=SC2154 # from the kernel
IFS=: read -ra folders <<<"$wg_folders"
for folder in "${folders[@]}"; do
	[[ $folder == /tmp/* ]] || continue
	mkdir -p "$folder"
	mount --bind "/run/all$folder" "$folder"
done
umount --lazy /run/all
mount -t debugfs debugfs /sys/kernel/debug
mkdir -p /run/netns

# Debug messages of the network stack are rate limited, and a check that counts them would miss
# some.
echo 0 >/proc/sys/net/core/message_cost
ip link set lo up

# shellcheck disable=SC2154 # see above
bash "$wg_job/job.sh"
echo $? >"$wg_job/status"

# A reset ends QEMU at once (-no-reboot), powering off takes a second longer; User Mode Linux would
# begin anew.
sync
echo "${wg_end:-b}" >/proc/sysrq-trigger
sleep 60
