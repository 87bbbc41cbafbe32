# SPDX-License-Identifier: GPL-2.0
"""Rounds of: hold a decryption back, fill the queue, let go, and see all delivered in time."""

import os
import signal
import socket
import sys
import time

from wgtest import check
from wgtest.genl import namespace
from wgtest.machine import drop_counts

ROUNDS, WITHIN = int(sys.argv.pop()), float(sys.argv.pop())
SOL_UDP, UDP_SEGMENT = 17, 103
SIZE, SEGMENTS, SENDS = 16, 100, 16
SENT = SEGMENTS * SENDS


def find_folder():
    """What debugfs shows of b's interface: the second one of this name has a number behind it."""
    found = [entry for entry in os.listdir("/sys/kernel/debug/wireguard") if entry.startswith("wg0.")]
    assert len(found) == 1, found
    return f"/sys/kernel/debug/wireguard/{found[0]}"


def hold(value=None):
    """Reads or writes the switch of b's interface."""
    with open(f"{FOLDER}/hold", "w" if value is not None else "r", encoding="ascii") as file:
        return file.write(str(value)) if value is not None else int(file.read())


def dropped():
    """How many packets found the queue full."""
    return drop_counts(os.path.basename(FOLDER))["rx-data-queue-full"]


class Inside:
    """b's end of the tunnel, where what arrives is counted."""

    def __init__(self):
        with namespace("b"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.socket.bind(("192.168.7.2", 5000))
        self.socket.setblocking(False)

    def count(self):
        number = 0
        while True:
            try:
                self.socket.recv(SIZE)
            except BlockingIOError:
                return number
            number += 1


def hog():
    """A process of the highest class on CPU 1, stopped."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {1})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            pass
    os.waitpid(pid, os.WUNTRACED)
    return pid


def rounds():
    inside, pig = Inside(), hog()
    with namespace("a"):
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.setsockopt(SOL_UDP, UDP_SEGMENT, SIZE)
    outside.connect(("192.168.7.2", 5000))
    os.sched_setaffinity(0, {0})
    longest, fewest, held, full = 0.0, 5 * SENT, 0, 0
    try:
        for _ in range(ROUNDS):
            before = dropped()
            hold(1)
            os.kill(pig, signal.SIGCONT)
            sent = delivered = 0
            # Packets get through as long as the CPU that is to help is the busier one.
            while dropped() == before and sent < 5 * SENT:
                for _ in range(SENDS):
                    outside.send(bytes(SIZE * SEGMENTS))
                sent += SENT
                check.eventually(WITHIN, lambda before=before: dropped() > before)
                delivered += inside.count()
            held += check.eventually(5 * WITHIN, lambda: hold() == 2)
            full += dropped() > before
            begin = time.monotonic()
            hold(0)
            os.kill(pig, signal.SIGSTOP)
            while delivered < sent - (dropped() - before) and time.monotonic() < begin + 5 * WITHIN:
                delivered += inside.count()
            longest = max(longest, time.monotonic() - begin)
            fewest = min(fewest, delivered)
    finally:
        hold(0)
        os.kill(pig, signal.SIGKILL)
        os.waitpid(pig, 0)
    check.note(f"{ROUNDS} rounds of {SENT} packets or more, held back in {held}, queue full in {full}; "
               f"longest {longest:.3f} s; fewest delivered {fewest}")
    check.equal("rounds in which a decryption was held back", held, ROUNDS)
    # rows D15 X6
    check.equal("rounds in which the queue was full", full, ROUNDS)
    # rows X6 X10
    check.holds(f"all that was not dropped is delivered within {WITHIN:.0f} s", longest < WITHIN)


FOLDER = find_folder()
check.main(rounds)
