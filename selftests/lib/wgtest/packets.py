# SPDX-License-Identifier: GPL-2.0
"""Packets of IP and UDP, made of their bytes and seen on a link."""

import socket
import struct
import time

from .genl import namespace


def ones_sum(data):
    """The sum in ones' complement, of which the Internet's checksum is made."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def checksum(data):
    return 0xffff - ones_sum(data)


def ip4(source, destination, payload, total=None, version=4, protocol=17):
    total = 20 + len(payload) if total is None else total
    head = struct.pack("!BBHIBBH4s4s", version << 4 | 5, 0, total, 0, 64, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source, destination, payload, length=None, version=6):
    return struct.pack("!IHBB16s16s", version << 28, len(payload) if length is None else length, 59, 64,
                       socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, destination)) + payload


def udp(data, sport=9, dport=7000, csum=0):
    """A datagram; the checksum 0 says that there is none."""
    return struct.pack("!HHHH", sport, dport, 8 + len(data), csum) + data


class Tap:
    """Sees what a link receives (or with `sent`, sends), from the IP header on."""

    def __init__(self, where, link="veth", buffer=1 << 24, sent=False):
        self.sent = sent
        with namespace(where):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind((link, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, buffer)  # SO_RCVBUFFORCE
        self.socket.setblocking(False)

    def packets(self, wait=0.0):
        """All that came within that time."""
        time.sleep(wait)
        found = []
        while True:
            try:
                data, where = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                return found
            if (where[2] == socket.PACKET_OUTGOING) == self.sent:
                found.append(data)

    def close(self):
        self.socket.close()
