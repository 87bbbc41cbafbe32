# SPDX-License-Identifier: GPL-2.0
"""Packets inside of the tunnel: what comes out of it, and what cannot be sent into it."""

import socket
import time

from wgtest import check
from wgtest.check import equal
from wgtest.genl import name, namespace, peer, peers, sockaddr
from wgtest.packets import ip4, ip6, udp

from .ends import LOW, Delivered, accepted, client, drops, far, fresh, into_tunnel, link, dropped, risen, stats


def inner():
    fresh()
    session = far.connect()
    tap = Delivered()
    v4, v6 = ("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")

    def errors():
        return [link(counter) for counter in ("rx_errors", "rx_frame_errors", "rx_length_errors")]

    def wrong(title, reason, packet, *expected, **more):
        before = errors()
        size = sum(rx for rx, _ in stats())
        dropped(title, reason, session.data(packet, **more))
        equal(f"{title}: errors of the interface", [a - b for a, b in zip(errors(), before)], list(expected))
        equal(f"{title}: received bytes", sum(rx for rx, _ in stats()), size)
        equal(f"{title}: delivered", tap.packets(), [])

    # rows E3 E10
    for version in (0, 1, 5, 7, 15):
        wrong(f"version {version}", "rx-inner-bad-header", ip4(*v4, udp(b""), version=version), 1, 1, 0)
    wrong("one byte", "rx-inner-bad-header", b"\x45", 1, 1, 0, pad=False)
    wrong("IPv4 with half a header", "rx-inner-bad-header", ip4(*v4, b"")[:16], 1, 1, 0)
    wrong("IPv4 of 19 bytes", "rx-inner-bad-header", ip4(*v4, b"")[:19], 1, 1, 0, pad=False)
    wrong("IPv6 with half a header", "rx-inner-bad-header", ip6(*v6, b"")[:32], 1, 1, 0)
    wrong("IPv6 of 39 bytes", "rx-inner-bad-header", ip6(*v6, b"")[:39], 1, 1, 0, pad=False)
    wrong("IPv4 that says 19 bytes", "rx-inner-bad-length", ip4(*v4, udp(b""), total=19), 1, 0, 1)
    wrong("IPv4 that says 0 bytes", "rx-inner-bad-length", ip4(*v4, udp(b""), total=0), 1, 0, 1)
    wrong("IPv4 that says too much", "rx-inner-bad-length", ip4(*v4, udp(b""), total=33), 1, 0, 1)
    wrong("IPv4 that says 65535", "rx-inner-bad-length", ip4(*v4, udp(b""), total=65535), 1, 0, 1)
    wrong("IPv6 that says too much", "rx-inner-bad-length", ip6(*v6, bytes(8), length=9), 1, 0, 1)
    wrong("IPv6 that says 65535", "rx-inner-bad-length", ip6(*v6, bytes(8), length=65535), 1, 0, 1)
    for source in ("10.9.0.3", "10.9.0.1", "10.9.0.99", "0.0.0.0", "127.0.0.1"):
        wrong(f"from {source}", "rx-inner-bad-source", ip4(source, "10.9.0.1", udp(b"")), 1, 1, 0)
    for source in ("fd09::3", "fd09::1", "::", "::1", "fe80::1"):
        wrong(f"from {source}", "rx-inner-bad-source", ip6(source, "fd09::1", bytes(8)), 1, 1, 0)

    # Padding goes, however much there is of it.
    for packet in (ip4(*v4, udp(b"x")), ip4(*v4, b""), ip6(*v6, b""), ip6(*v6, bytes(13)), ip4(*v4, udp(bytes(1300)))):
        for more in (0, 16, 160):
            padded = packet + bytes(-len(packet) % 16 + more)
            accepted(f"{len(packet)} bytes and {more} of padding", session.data(padded), 32 + len(padded))
            equal("delivered without its padding", tap.packets(), [packet])
    accepted("no padding at all", session.data(ip4(*v4, udp(b"x")), pad=False), 32 + 29)
    equal("delivered", tap.packets(), [ip4(*v4, udp(b"x"))])
    tap.close()


def sending():
    """What cannot be sent."""
    fresh()
    before = drops()

    def counted(title, *expected):
        nonlocal before
        seen = risen(before)
        before = drops()
        if not check.ON_C:
            equal(title, seen, dict(expected))
    equal("no peer", into_tunnel("10.9.0.99"), 126)
    counted("no peer", ("tx-no-peer", 1))
    # row D3
    equal("no endpoint", into_tunnel("10.9.0.3"), 89)
    counted("no endpoint", ("tx-no-endpoint", 1))
    with namespace("near"):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    errors = link("tx_errors")
    for protocol, packet in ((0x800, ip6("fd09::1", "fd09::2", b"")), (0x86dd, ip4("10.9.0.1", "10.9.0.2", b"")),
                             (0x800, b"\x45" + bytes(18)), (0x806, ip4("10.9.0.1", "10.9.0.2", b"")),
                             (0x86dd, b"\x60" + bytes(38))):
        try:
            raw.sendto(packet, ("wg0", protocol))
            check.problem("a packet of another protocol was sent")
        except OSError as error:
            # row D1
            equal("protocol", error.errno, 93)
        counted(f"protocol {protocol:#x}", ("tx-bad-protocol", 1))
    equal("tx_errors", link("tx_errors") - errors, 5)
    raw.close()
    # A peer of low order: no handshake.
    client.set(name("wg0"), peers(peer(LOW, endpoint=sockaddr(*far.address))))
    equal("peer of low order", into_tunnel("10.9.0.4"), 0)
    equal("nothing is sent", far.receive(), [])
    counted("peer of low order", ("low-order-key", 1))
    fresh(("198.51.100.1", 9))
    counted("the packet that waited for the peer of low order", ("gone", 1))
    into_tunnel()
    time.sleep(0.05)
    # row D14
    counted("no route", ("tx-no-route", 1))

    # Too many wait; then all that wait are given up after 20 tries.
    fresh(far.address)
    dropped_before = link("tx_dropped")
    before = drops()
    into_tunnel(count=140)
    equal("handshake", [len(message) for message in far.receive()], [148])
    # rows K12 E8
    counted("140 wait", ("tx-staged-overflow", 11))
    equal("tx_dropped", link("tx_dropped") - dropped_before, 11)
    equal("tries", len(far.receive(120)), 19)
    counted("given up", ("tx-gave-up", 129))
    equal("tx_dropped", link("tx_dropped") - dropped_before, 140)
