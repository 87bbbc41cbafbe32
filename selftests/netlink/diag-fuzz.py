#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends requests of the family "wireguard-diag" that a grammar makes of its schema.

usage: diag-fuzz.py COUNT SEED PEER-KEY
"""

import base64
import collections
import errno
import random
import socket
import sys

import netlink
import schema

COUNT, SEED = int(sys.argv[1]), int(sys.argv[2])
KEY = base64.b64decode(sys.argv[3])
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "uint": 8}
# What a request may be answered by; anything else is a fault.
KNOWN = {0, errno.EINVAL, errno.ERANGE, errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT, errno.EPERM}
# What may be set of a peer.
SET_ONLY = ("name", "pin", "in-mark", "in-priority", "out-mark", "out-priority", "psk-generation", "public-key")
TOP = {name: number for number, (name, *_) in schema.SETS["diag"].items()}
# What a "get" asks for, and what a "set" sets.
ASKED = [TOP[name] for name in ("public-key", "owner-of", "changed-since", "only-trouble")]
CHANGED = [TOP[name] for name in ("unprivileged-read", "announce-unknown", "peer", "peer", "peer")]


class Grammar:
    """Makes requests; the same ones for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, width):
        small = self.random.choice([0, 1, 2, 3, 255, (1 << 8 * width) - 1])
        return (small if self.random.random() < 0.8 else self.random.getrandbits(8 * width)) \
            .to_bytes(16, "little")[:width]

    def value(self, name, kind, extra):
        """A payload that is right most of the time."""
        choice = self.random.random
        if kind == "nest":
            return self.attributes(extra, self.random.randrange(1, 5))
        if kind == "string":
            text = self.random.choice([b"wg0", b"lo", b"wg1", b"a name", "zoë".encode(), b"\xff", b"x" * 63, b""])
            return text + b"\0" * (choice() < 0.9)
        if kind == "flag":
            return b"" if choice() < 0.9 else b"\1"
        if kind == "binary":
            if name == "public-key":
                return KEY if choice() < 0.7 else self.random.randbytes(32)
            return self.random.choice([bytes([192, 168, 7, 2]), bytes(16), self.random.randbytes(4)])
        return self.number(WIDTHS[kind])

    def spoilt(self, payload):
        """The same, too short, too long, or something else."""
        match self.random.randrange(4):
            case 0:
                return payload[:-1]
            case 1:
                return payload + self.random.randbytes(self.random.randrange(1, 9))
            case 2:
                return self.random.randbytes(self.random.randrange(40))
            case _:
                return payload

    def attribute(self, set_name, number):
        name, kind, extra, _ = schema.SETS[set_name][number]
        payload = self.value(name, kind, extra)
        if self.random.random() < 0.08:
            payload = self.spoilt(payload)
        nested = 0x8000 * (kind == "nest" if self.random.random() < 0.95 else self.random.randrange(2))
        return netlink.attribute(number | nested, payload[:2000])

    def attributes(self, set_name, count):
        numbers = list(schema.SETS[set_name])
        if set_name == "peer":
            numbers = [number for number in numbers if schema.SETS["peer"][number][0] in SET_ONLY
                       or self.random.random() < 0.02]
        chosen = [self.random.choice(numbers) for _ in range(count)]
        if set_name == "peer" and self.random.random() < 0.8:
            chosen.insert(0, 1)
        return b"".join(self.attribute(set_name, number) for number in chosen)

    def request(self):
        """(command, flags, attributes)"""
        command = self.random.choice([1, 1, 2, 2, 2, 1, 3, 9] if self.random.random() < 0.1 else [1, 2])
        numbers = {1: ASKED, 2: CHANGED}.get(command, [TOP["ifindex"]])
        parts = [netlink.attribute(2, b"wg0\0")] if self.random.random() < 0.9 else []
        for _ in range(self.random.randrange(3)):
            number = self.random.choice(numbers if self.random.random() < 0.9 else list(schema.SETS["diag"]))
            parts.append(self.attribute("diag", number))
        data = b"".join(parts)
        if self.random.random() < 0.02:
            data = self.spoilt(data)
        flags = netlink.DUMP if command == 1 and self.random.random() < 0.5 else netlink.ACK
        return command, flags, data


def main():
    client = netlink.Client()
    client.socket.settimeout(60)
    grammar = Grammar(SEED)
    listener = netlink.Client()
    # It never reads.
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    listener.listen("peers", "config", "unknown")
    seen = collections.Counter()
    for number in range(COUNT):
        command, flags, data = grammar.request()
        code = 0
        try:
            client.exchange(command, data, flags)
        except netlink.Refused as error:
            code = error.errno
        seen[errno.errorcode.get(code, "good")] += 1
        if code not in KNOWN:
            raise SystemExit(f"FAIL: request {number} of seed {SEED}: {errno.errorcode.get(code, code)}: "
                             f"{command} {flags} {data.hex()}")
    print(dict(seen))
    if seen["good"] < COUNT / 10 or len(seen) < min(4, COUNT / 100):
        raise SystemExit("FAIL: the grammar makes too little of one kind")


main()
