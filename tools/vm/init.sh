#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of the guest: mounts what a script expects, runs the job, and ends the machine.
# The kernel hands down "wg_job=FOLDER" of its command line as an environment variable.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mkdir -p /run/netns

# Debug messages of the network stack are rate limited, and a check that counts them would miss some.
echo 0 >/proc/sys/net/core/message_cost
ip link set lo up

# shellcheck disable=SC2154 # see above
bash "$wg_job/job.sh"
echo $? >"$wg_job/status"

# A reset ends QEMU at once (-no-reboot); powering off takes a second longer.
sync
echo b >/proc/sysrq-trigger
sleep 60
