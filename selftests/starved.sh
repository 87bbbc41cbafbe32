#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# limit: 120
# A hog of the highest class sits on CPU 1, so that no worker runs there. What was left to these
# is sent nevertheless: what a softirq on CPU 1 forwards, and batches that CPU 0, busy itself,
# gave away.

. "$(dirname "$0")/lib.sh"

if stock; then
	echo "the C module has no way out"
	exit
fi

load_module
joined a b
joined a c 1 inner
tunnel a b
peer b a allowed-ips 192.168.7.1/32,fd77::1/128,10.1.0.0/24
in_ns a sysctl -q net.ipv4.ip_forward=1
ip -n b route add 10.1.0.0/24 dev wg0
ip -n c route add 192.168.7.0/24 via 10.1.0.1
answers a 192.168.7.2 -w 5 || fail "a ping"
answers c 192.168.7.2 -w 5 || fail "a ping by way of a"

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
python3 "$WG_TOP/selftests/starved.py" "${WG_PATIENCE:-1}"
