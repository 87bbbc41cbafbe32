# SPDX-License-Identifier: GPL-2.0
"""A burst of datagrams from the C driver, and nothing after it: all are there at once, in order."""

import socket

from wgtest.check import equal, main
from wgtest.genl import namespace

ADDRESS = "192.168.7.1", 5000
# Those that are too few to be coalesced, and some of those that are.
COUNT = 60
# Seconds. What comes only with the next packet takes that of a keepalive.
WITHIN = 0.05


def tail_of_a_burst():
    with namespace("ours"):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(ADDRESS)
    receiver.settimeout(WITHIN)
    with namespace("theirs"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(20):
        for number in range(COUNT):
            sender.sendto(bytes([number]), ADDRESS)
        seen = []
        try:
            while len(seen) < COUNT:
                seen += receiver.recv(16)
        except TimeoutError:
            pass
        equal("arrived", seen, list(range(COUNT)))


main(tail_of_a_burst)
