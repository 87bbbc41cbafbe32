# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by tests in which a hog sits on CPU 1: a forwards what comes from c by way of "inner", to
# b.

# What comes from c is forwarded on CPU 1, what comes from a is received on CPU 0.
in_ns a bash -c 'echo 2 >/sys/class/net/inner/queues/rx-0/rps_cpus'
in_ns b bash -c 'echo 1 >/sys/class/net/veth/queues/rx-0/rps_cpus'
# Files are read by help of an interrupt.
for irq in /proc/irq/[0-9]*; do
	echo 1 2>/dev/null >"$irq/smp_affinity" || true
done
# Nothing is put aside for others.
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
server=/sys/kernel/debug/sched/fair_server/cpu1/runtime
[[ ! -e $server ]] || echo 0 >"$server"
