# SPDX-License-Identifier: GPL-2.0
"""What the machine says of itself: memory, threads, the counters of an interface; a hog."""

import os
import signal


def memory(*more):
    """KiB in slab objects, and in what else of /proc/meminfo is named.

    Not the free pages: earlier work has left slabs behind that are partly empty.
    """
    with open("/proc/slabinfo", encoding="ascii") as file:
        slabs = [line.split() for line in file if not line.startswith(("slabinfo", "#"))]
    with open("/proc/meminfo", encoding="ascii") as file:
        pages = {key: int(rest.split()[0]) for key, _, rest in (line.partition(":") for line in file)}
    return sum(int(active) * int(size) for _, active, _, size, *_ in slabs) / 1024 + sum(pages[what] for what in more)


def threads():
    """How many there are in the whole machine."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def drop_counts(ifname="wg0"):
    """The counters of an interface by name, zeros included."""
    with open(f"/sys/kernel/debug/wireguard/{ifname}/drops", encoding="ascii") as file:
        return {reason: int(count) for reason, count in map(str.split, file)}


def hog(cpu):
    """A process of the highest class on one CPU, stopped."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            pass
    os.waitpid(pid, os.WUNTRACED)
    return pid
