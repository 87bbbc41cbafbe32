# SPDX-License-Identifier: GPL-2.0
"""Sends bursts of datagrams from namespace "left" to "right", where a reader counts how many it
finds each time it runs.

WG_NEVER_IDLE is the process that keeps the machine from being idle.
"""

import os
import signal
import socket
import struct

from wgtest.check import holds, main, note
from wgtest.genl import namespace

ADDRESS = "192.168.7.2", 7000
BURSTS, BURST = 20, 60
# Seconds.
WITHIN = 1


def found(reader):
    """Waits for something to come, and counts what is there."""
    count = 0
    try:
        while reader.recv(2048, socket.MSG_DONTWAIT if count else 0):
            count += 1
    except BlockingIOError:
        pass
    return count


def turns():
    with namespace("right"):
        reader = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    reader.bind(ADDRESS)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", WITHIN, 0))
    with namespace("left"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(ADDRESS)
    pig = int(os.environ["WG_NEVER_IDLE"])
    in_between = 0
    for _ in range(BURSTS):
        for _ in range(BURST):
            sender.send(bytes(1300))
        os.kill(pig, signal.SIGSTOP)
        counts = []
        while sum(counts) < BURST:
            counts.append(found(reader))
            if not counts[-1]:
                raise TimeoutError(f"{sum(counts)} datagrams out of {BURST} arrived")
        os.kill(pig, signal.SIGCONT)
        note(f"{counts}")
        in_between += len(counts) > 1
    # The scheduler may also choose the worker first, and again.
    holds(f"the reader had its turn in the middle of {in_between} bursts out of {BURSTS}", in_between >= BURSTS / 2)


main(turns)
