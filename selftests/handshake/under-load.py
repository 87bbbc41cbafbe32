# SPDX-License-Identifier: GPL-2.0
"""Floods wg0 in "near" with initiations from "far", and begins a handshake with wg0 and with
wg1."""

import os
import socket
import struct
import time

from wgtest import check
from wgtest.check import at_once, equal
from wgtest.genl import Client, Device, attr, name, namespace, peer, peers, u16
from wgtest.noise import Handshake, add_macs, public

REMOTE = bytes([8]) + bytes([1]) * 30 + bytes([64])
# More than an eighth of the 4096 that a queue takes.
FLOOD = 600
RESPONSE, COOKIE = 92, 64


class Interface:
    """An interface of "near", and a socket in "far" that sends to it."""

    def __init__(self, ifname, port, secret):
        self.key = public(secret)
        Client("near").set(name(ifname), u16(Device.LISTEN_PORT, port), attr(Device.PRIVATE_KEY, secret),
                           peers(peer(public(REMOTE))))
        with namespace("far"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("10.0.0.1", port))
        self.socket.settimeout(1)

    def junk(self):
        """An initiation with a right mac1 and nothing else."""
        return add_macs(struct.pack("<II", 1, 7) + os.urandom(108), self.key)

    def begin(self):
        self.socket.send(Handshake(REMOTE, self.key).initiation())

    def answer(self):
        """The length of what is answered, or None."""
        try:
            return len(self.socket.recv(2000))
        except TimeoutError:
            return None


def flood():
    flooded, calm = (Interface(f"wg{n}", 51820 + n, bytes([8]) + bytes([2 + n]) * 30 + bytes([64])) for n in (0, 1))
    for interface in (flooded, calm):
        interface.begin()
        equal("answer before the flood", interface.answer(), RESPONSE)
    # Not too soon after the one before: an initiation counts as a flood within 20 ms.
    time.sleep(0.1)
    with namespace("far"):
        noisy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    noisy.connect(flooded.socket.getpeername())
    message = flooded.junk()
    with at_once():
        for _ in range(FLOOD):
            noisy.send(message)
        flooded.begin()
        calm.begin()
    equal("answer of the flooded interface", flooded.answer(), COOKIE)
    equal("answer of the one beside it", calm.answer(), COOKIE if check.ON_C else RESPONSE)


check.main(flood)
