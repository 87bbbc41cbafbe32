# SPDX-License-Identifier: GPL-2.0
"""A socket that counts the datagrams which come to it."""

import socket
import time

from .genl import namespace

SO_RCVBUFFORCE = 33


class Receiver:
    """A UDP socket of one namespace, with room for 16 MB."""

    def __init__(self, where, address, port):
        with namespace(where):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        self.socket.bind((address, port))
        self.socket.setblocking(False)

    def count(self):
        """How many have come since this was last called."""
        number = 0
        try:
            while self.socket.recv(1):
                number += 1
        except BlockingIOError:
            pass
        return number

    def wait(self, number, seconds):
        """Waits for that number, and returns how many came, and after how many seconds."""
        begin, came = time.monotonic(), 0
        while came < number and time.monotonic() < begin + seconds:
            came += self.count()
        return came, time.monotonic() - begin
