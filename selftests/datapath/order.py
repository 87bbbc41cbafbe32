# SPDX-License-Identifier: GPL-2.0
"""Datagrams of one flow, sent one by one and several as one packet, come out of the tunnel as they
were sent."""

import socket
import struct

from wgtest.check import equal, main
from wgtest.far import NEAR, PORT, Peer, Reader
from wgtest.genl import namespace
from wgtest.packets import udp

ROUNDS = 20
SIZE = 1200
# The port of near's socket for UDP within UDP.
FOU = 5555


def late(numbers):
    """How many come after one that was sent later."""
    return sum(number < max(numbers[:at], default=0) for at, number in enumerate(numbers))


def check(what, reader, count):
    numbers = [struct.unpack_from("!I", data)[0] for data in reader.read(count)]
    equal(f"{what}: arrived and late", (len(numbers), late(numbers)), (count, 0))


def one_by_one_and_together():
    far, reader = Peer(), Reader()
    number = 0
    for _ in range(ROUNDS):
        messages = []
        for _ in range(10):
            messages.append(far.message(struct.pack("!I", number) + bytes(SIZE)))
            number += 1
        far.send(messages[0])
        far.send(*messages[1:9], segment=len(messages[1]))
        far.send(messages[9])
    check("one, eight together, one", reader, number)
    # Those that are together are no longer than those before and after.
    for _ in range(ROUNDS):
        messages = []
        for _ in range(6):
            messages.append(far.message(struct.pack("!I", number) + bytes(SIZE)))
            number += 1
        far.send(*messages[:2])
        far.send(*messages[2:4], segment=len(messages[2]))
        far.send(*messages[4:])
    check("two, two together, two", reader, number - 10 * ROUNDS)


def datagrams_within_datagrams():
    far, reader = Peer(), Reader()
    with namespace("far"):
        outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Not those of the other socket, which C would take for one flow.
    outer.bind(("", 0))
    outer.connect((NEAR, FOU))
    for number in range(ROUNDS):
        outer.send(udp(far.message(struct.pack("!I", number) + bytes(SIZE)), sport=9, dport=PORT))
    check("within another", reader, ROUNDS)


main(one_by_one_and_together, datagrams_within_datagrams)
