# SPDX-License-Identifier: GPL-2.0
"""What is seen on this host's devices while it looks: handshake messages, errors that routers and
hosts send back, and pings.

A packet socket sees what leaves after all rules here, and what comes before all of them but XDP.
"""

import contextlib
import ctypes
import ipaddress
import select
import socket
import struct
import time
import typing

ETH_P_ALL = 3
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
# Bytes: a packet that passes the filter takes less than one KiB of it.
BUFFER = 8 << 20
OUTGOING = 4
ICMP, UDP, ICMPV6 = 1, 17, 58
KINDS = {0x01000000: "initiation", 0x02000000: "response", 0x03000000: "cookie"}
# Of ICMP, and of ICMPv6.
ECHOES = {4: {8: "echo", 0: "reply"}, 6: {128: "echo", 129: "reply"}}
UNREACHABLE = {4: 3, 6: 1}

# How many packets are read.
MOST = 20_000

# Instructions of classic BPF.
LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
LOAD_WORD_AT, LOAD_BYTE_AT, LENGTH_TO_X = 0x40, 0x50, 0xB1
SHIFT, IS, HAS, GIVE = 0x74, 0x15, 0x45, 0x06


class Message(typing.NamedTuple):
    """A message on a device. Of one that is unreachable, the ports and the target are those of our
    datagram, and the source is the one that says it."""

    kind: str
    device: str
    is_out: bool
    source: object
    target: object
    sport: int = 0
    dport: int = 0
    code: int = 0


def program():
    """The filter: packets begin with their IP header."""
    lines = [
        (LOAD_BYTE, 0), (SHIFT, 4), (IS, 6, "six"), (IS, 4, "four"), (GIVE, 0),
        "four", (LOAD_BYTE, 9), (IS, UDP, "udp"), (IS, ICMP, "icmp"), (GIVE, 0),
        "udp", (LOAD_HALF, 6), (HAS, 0x1FFF, "no"), (LENGTH_TO_X, 0), (LOAD_WORD_AT, 8),
        *((IS, number, "yes") for number in KINDS), "no", (GIVE, 0),
        "icmp", (LENGTH_TO_X, 0), (LOAD_BYTE_AT, 0),
        *((IS, number, "yes") for number in (UNREACHABLE[4], *ECHOES[4])), (GIVE, 0),
        "six", (LOAD_BYTE, 6), (IS, UDP, "udp6"), (IS, ICMPV6, "icmp6"), (GIVE, 0),
        "udp6", (LOAD_WORD, 48), *((IS, number, "yes") for number in KINDS), (GIVE, 0),
        "icmp6", (LOAD_BYTE, 40), *((IS, number, "yes") for number in (UNREACHABLE[6], *ECHOES[6])), (GIVE, 0),
        "yes", (GIVE, 256),
    ]
    places, code = {}, []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(code)
        else:
            code.append(line)
    return [(what, places[rest[0]] - at - 1 if rest else 0, 0, value)
            for at, (what, value, *rest) in enumerate(code)]


def open_socket():
    """A packet socket with the filter, on all devices."""
    code = b"".join(struct.pack("=HBBI", *line) for line in program())
    buffer = ctypes.create_string_buffer(code, len(code))
    # What comes before there is a filter is passed over by parse().
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
    try:
        with contextlib.suppress(PermissionError):
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))
    except OSError:
        made.close()
        raise
    return made


def header(data):
    """(version, protocol, source, target, what follows) of an IP packet."""
    if data[0] >> 4 == 4:
        return (4, data[9], ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20]),
                data[(data[0] & 15) * 4:])
    if data[0] >> 4 != 6:
        raise ValueError("neither IPv4 nor IPv6")
    return 6, data[6], ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40]), data[40:]


def parse(data, device, is_out):
    """The message in a packet; None if it is of another kind."""
    try:
        version, protocol, source, target, rest = header(data)
        if protocol == UDP:
            sport, dport = struct.unpack_from(">HH", rest)
            kind = KINDS.get(struct.unpack_from(">I", rest, 8)[0])
            return Message(kind, device, is_out, source, target, sport, dport) if kind else None
        if rest[0] in ECHOES[version]:
            return Message(ECHOES[version][rest[0]], device, is_out, source, target)
        if rest[0] != UNREACHABLE[version]:
            return None
        _, inner, ours, theirs, quoted = header(rest[8:])
        if inner != UDP or source == ours:
            return None
        return Message("unreachable", device, is_out, source, theirs, *struct.unpack_from(">HH", quoted), rest[1])
    except (IndexError, ValueError, struct.error):
        return None


class Wire:
    """The messages since it was opened; none where that is not allowed."""

    def __init__(self):
        self.messages, self.settled, self.mark, self.count = [], 0, 0, 0
        self.is_open, self.socket = False, None
        # Whether nothing is missing, so that what was not seen was not there.
        self.is_whole = True
        with contextlib.suppress(OSError):
            self.socket = open_socket()
            self.is_open = True

    def read(self):
        """Takes in what was seen since. What was there at the last time is settled: the module has
        counted it."""
        self.settled = self.mark
        self.take()
        self.mark = len(self.messages)

    def take(self):
        with contextlib.suppress(BlockingIOError):
            while self.is_open and self.count < MOST:
                data, place = self.socket.recvfrom(512)
                self.count += 1
                found = parse(data, place[0], place[2] == OUTGOING)
                if found:
                    self.messages.append(found)
        if self.is_open:
            _, drops = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            self.is_whole = self.is_whole and not drops and self.count < MOST

    def wait(self, seconds):
        """Waits, and reads meanwhile: its buffer would not hold a flood."""
        end = time.monotonic() + seconds
        while self.is_open and self.count < MOST:
            left = end - time.monotonic()
            if left <= 0:
                return
            if select.select([self.socket], [], [], left)[0]:
                self.take()
        time.sleep(max(0, end - time.monotonic()))

    def close(self):
        if self.socket:
            self.socket.close()
