# SPDX-License-Identifier: GPL-2.0
"""Prints how many thousand times a second this machine's TSC counts; nothing where that is unknown.

Emulated CPUs that run in real time show the guest this very counter. A guest that measures it by
other emulated clocks on a busy machine gets it wrong, by a factor at times, and then all its time
is wrong.
"""

import ctypes
import mmap
import platform
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")
SECONDS = 0.05


def counter():
    """A function that reads it."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(CODE)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    # The function lies in this memory.
    function.memory = memory
    return function


def reading(read):
    """Time in ns and the counter at about the same moment: that of many tries which took the
    shortest time."""
    tries = []
    for _ in range(100):
        before = time.monotonic_ns()
        ticks = read()
        after = time.monotonic_ns()
        tries.append((after - before, (before + after) // 2, ticks))
    return min(tries)[1:]


def main():
    if platform.machine() != "x86_64":
        return
    try:
        read = counter()
    except OSError:
        # No memory both writable and executable here.
        return
    first, ticks = reading(read)
    time.sleep(SECONDS)
    last, more_ticks = reading(read)
    print((more_ticks - ticks) * 1_000_000 // (last - first))


main()
