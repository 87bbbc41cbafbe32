# SPDX-License-Identifier: GPL-2.0
"""Lengths, types and service classes of messages, those that come and those that the module
sends."""

import socket
import struct

from wgtest.check import equal, run
from wgtest.genl import namespace
from wgtest.noise import Handshake, add_macs
from wgtest.packets import ip4, udp

from .ends import PORT, PSK, REMOTE, WG0, Delivered, Far, accepted, far, fresh, into_tunnel, dropped


def shapes():
    """Lengths and types."""
    fresh()
    for length in (0, 1, 2, 3):
        dropped(f"{length} bytes", "rx-bad-length", bytes([1, 0, 0, 0])[:length])
    # rows F1 F2 F3 F4 F5
    for kind, lengths in ((1, (4, 147, 149, 0x94 + 16)), (2, (4, 91, 93, 148)), (3, (4, 63, 65, 32)), (4, (4, 16, 31))):
        for length in lengths:
            dropped(f"type {kind} with {length} bytes", "rx-bad-length",
                    struct.pack("<I", kind) + bytes(length - 4))
    for kind, length in ((0, 148), (5, 148), (5, 32), (255, 64), (0x80000001, 148)):
        dropped(f"type {kind}", "rx-bad-type", struct.pack("<I", kind) + bytes(length - 4))
    # All else is right, macs included.
    good = Handshake(REMOTE, WG0, PSK).initiation()
    for place in (1, 2, 3):
        bad = add_macs(good[:place] + b"\1" + good[place + 1:-32], WG0)
        # rows F5 E1 E10
        dropped(f"reserved byte {place}", "rx-bad-type", bad)
        dropped(f"reserved byte {place} of data", "rx-bad-type",
                b"\4\0\0\0"[:place] + b"\1" + b"\4\0\0\0"[place + 1:] + bytes(28))
    accepted("the right one", good, 148, [92])


def datagrams():
    """UDP lengths, checksums, fragments."""
    fresh()
    with namespace("far"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sport = far.address[1]

    class Raw:
        """Sends with this UDP header, and receives what comes to `far`."""

        def __init__(self, length, total=0, trailer=b""):
            self.length, self.total, self.trailer = length, total, trailer

        def send(self, message):
            body = struct.pack("!HHHH", sport, PORT, self.length, self.total) + message + self.trailer
            raw.sendto(ip4("10.0.0.2", "10.0.0.1", body), ("10.0.0.1", 0))

        def receive(self):
            return far.receive()

    def message():
        return Handshake(REMOTE, WG0, PSK).initiation()
    # The stack sorts these out before the module sees them.
    # row F6
    dropped("UDP length too large", None, message(), source=Raw(157))
    dropped("UDP length 65535", None, message(), source=Raw(65535))
    dropped("UDP length 7", None, message(), source=Raw(7))
    dropped("UDP length 0", None, message(), source=Raw(0))
    dropped("wrong UDP checksum", None, message(), source=Raw(156, 0x1234))
    # The length counts, not what lies behind it.
    dropped("UDP length too small", "rx-bad-length", message(), source=Raw(155))
    accepted("bytes behind the datagram", message(), 148, [92], source=Raw(156, trailer=bytes(33)))

    session = far.connect()
    tap = Delivered()
    payload = bytes(range(256)) * 4
    run("ip -n far route add 10.0.0.1 dev veth mtu 300")
    try:
        # row F7
        accepted("fragments", session.data(ip4("10.9.0.2", "10.9.0.1", udp(payload))), 32 + 1056)
        accepted("fragmented initiation", Handshake(REMOTE, WG0, PSK).initiation(), 148, [92])
    finally:
        run("ip -n far route del 10.0.0.1 dev veth")
    equal("the packet in them", [len(data) for data in tap.packets()], [1052])
    tap.close()
    raw.close()


def wire():
    """What the module sends: lengths, zeros, service classes."""
    for family, address in ((socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00:0::2")):
        end = Far(family)
        fresh((address, end.address[1]))
        into_tunnel()
        first, = end.receive()
        equal("initiation", (len(first), first[:4], end.tos), (148, b"\1\0\0\0", [0x88]))
        handshake = Handshake(REMOTE, WG0, PSK)
        # row K10
        equal("nanoseconds are rounded", int.from_bytes(handshake.accept_initiation(first)[8:], "big") % (1 << 24), 0)
        response, session = handshake.response()
        end.send(response)
        data, = end.receive()
        equal("first data", (len(data), data[:4], end.tos), (64, b"\4\0\0\0", [0]))
        asking = Handshake(REMOTE, WG0, PSK)
        end.send(asking.initiation())
        answer, = end.receive()
        equal("response", (len(answer), answer[:4], end.tos), (92, b"\2\0\0\0", [0x88]))
        equal("mac2", answer[-16:], bytes(16))
        session = asking.accept_response(answer)
        end.send(session.data())
        end.receive()
        sizes = list(range(0, 36)) + [1364, 1376, 1390, 1391, 1392]
        for size in sizes:
            into_tunnel(data=b"\xff" * size)
        messages = end.receive(0.2)
        equal("messages", len(messages), len(sizes))
        for number, (size, message) in enumerate(zip(sizes, messages)):
            counter, packet = session.open(message)
            inside = 28 + size
            padded = min((inside + 15) // 16 * 16, 1420)
            equal(f"{size} bytes: counter, reserved bytes, length", (counter, message[1:4], len(packet)),
                  (number, bytes(3), padded))
            # rows D6 D11
            equal(f"{size} bytes: padding", packet[inside:], bytes(padded - inside))
            equal(f"{size} bytes: content", packet[28:inside], b"\xff" * size)
        equal("classes", set(end.tos), {0})
        # A keepalive ten seconds after data that was not answered.
        tap = Delivered()
        end.send(session.data(ip4("10.9.0.2", "10.9.0.1", udp(b"x"))))
        keepalive = end.receive(11)
        equal("keepalive", [len(message) for message in keepalive], [32])
        # row D17
        equal("its content", session.open(keepalive[0])[1], b"")
        tap.close()
        end.socket.close()
