# SPDX-License-Identifier: GPL-2.0
"""Sends through the tunnel from "a" to "b" while a hog sits on CPU 1, and sees all delivered in
time."""

import os
import signal
import socket
import sys
import time

from wgtest import check
from wgtest.genl import namespace
from wgtest.machine import hog
from wgtest.receiver import Receiver

PATIENCE = float(sys.argv.pop())
SOL_UDP, UDP_SEGMENT = 17, 103
SIZE = 16


def sender(where):
    with namespace(where):
        new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    new.connect(("192.168.7.2", 5000))
    return new


def helped():
    """How many packets CPU 1 has encrypted for a."""
    with open("/sys/kernel/debug/wireguard/wg0/cpus", encoding="ascii") as file:
        return [int(line.split()[2]) for line in file][1]


def forwarded(inside, outside):
    """One packet right after the other, which are a stream for a's CPU 1."""
    sent = 0
    for _ in range(200):
        for _ in range(20):
            outside.send(bytes(SIZE))
        sent += 20
        time.sleep(0.005)
    came, seconds = inside.wait(sent, 2 * PATIENCE)
    check.note(f"forwarded: {came} of {sent} came, the last {seconds:.3f} s late")
    return came / sent


def shared(inside, outside):
    """More than one CPU likes to encrypt."""
    sent = 0
    for _ in range(16):
        outside.send(bytes(SIZE * 100))
        sent += 100
    came, seconds = inside.wait(sent, 2 * PATIENCE)
    return came / sent, seconds


def left_behind(inside, outside):
    """Bursts that no packet follows, more than one poll of the receiver takes."""
    missing = 0
    for number in (100, 150, 200) * 5:
        for _ in range(number):
            outside.send(bytes(SIZE))
        came, _seconds = inside.wait(number, 1 * PATIENCE)
        missing += number - came
    check.note(f"bursts: {missing} packets did not come")
    inside.wait(missing, 2 * PATIENCE)
    return missing


def starved():
    os.sched_setaffinity(0, {0})
    inside, pig = Receiver("b", "192.168.7.2", 5000), hog(1)
    single, many = sender("c"), sender("a")
    many.setsockopt(SOL_UDP, UDP_SEGMENT, SIZE)
    try:
        # Both work without the hog, and CPU 1 helps.
        check.holds("what is forwarded comes", forwarded(inside, single) > 0.95)
        check.holds("the end of a burst comes", left_behind(inside, single) == 0)
        before, end = helped(), time.monotonic() + 10 * PATIENCE
        while helped() == before and time.monotonic() < end:
            shared(inside, many)
        check.holds("CPU 1 helps", helped() > before)
        os.kill(pig, signal.SIGCONT)
        check.holds("what is forwarded comes beside a hog", forwarded(inside, single) > 0.95)
        check.holds("the end of a burst comes beside a hog", left_behind(inside, single) == 0)
        least, longest = 1, 0
        for _ in range(20):
            part, seconds = shared(inside, many)
            least, longest = min(least, part), max(longest, seconds)
        check.note(f"shared: {least:.3f} at least came, after {longest:.3f} s at most")
        check.holds("what is shared comes beside a hog", least > 0.95)
    finally:
        os.kill(pig, signal.SIGKILL)
        os.waitpid(pig, 0)


check.main(starved)
