# SPDX-License-Identifier: GPL-2.0
"""A client of the family "wireguard-diag", by the tables in schema.py."""

import contextlib
import errno
import socket
import struct
import sys

import schema

NETLINK_GENERIC = 16
SOL_NETLINK = 270
ADD_MEMBERSHIP, EXT_ACK, GET_STRICT = 1, 11, 12
REQUEST, ACK, DUMP_INTR, DUMP = 1, 4, 0x10, 0x300
ERROR, DONE = 2, 3
CAPPED, ACK_TLVS = 0x100, 0x200
CTRL_GETFAMILY, CTRL_ID, CTRL_NAME, CTRL_GROUPS = 3, 1, 2, 7


class Refused(OSError):
    """What the kernel says no to, with its sentence if it has one."""


class Gone(Refused):
    """There is no such interface any more."""


class Missing(Exception):
    """The family is not there: the C module is loaded, an old version of ours, or none."""


def attribute(number, payload):
    size = 4 + len(payload)
    return struct.pack("=HH", size, number) + payload + bytes(-size % 4)


def attributes(data):
    """Yields (number, payload) of each attribute."""
    at = 0
    while at + 4 <= len(data):
        size, number = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        yield number & 0x3FFF, data[at + 4:at + size]
        at += size + 3 & ~3


def encode(set_name, values):
    """Makes attributes of a dictionary."""
    numbers = {name: (number, rest) for number, (name, *rest) in schema.SETS[set_name].items()}
    result = b""
    for name, value in values.items():
        number, (kind, extra, _) = numbers[name]
        if kind == "nest":
            result += attribute(number | 0x8000, encode(extra, value))
        elif kind == "string":
            result += attribute(number, value.encode(errors="surrogateescape") + b"\0")
        elif kind == "flag":
            result += attribute(number, b"") if value else b""
        elif kind == "binary":
            result += attribute(number, value)
        else:
            if isinstance(value, str):
                value = schema.ENUMS[extra].index(value)
            width = {"u8": 1, "u16": 2, "u32": 4, "uint": 8}[kind]
            result += attribute(number, value.to_bytes(width, sys.byteorder))
    return result


def value_of(kind, extra, payload):
    if kind == "nest":
        return decode(extra, payload)
    if kind == "flag":
        return True
    if kind == "string":
        return payload.split(b"\0")[0].decode(errors="surrogateescape")
    if kind == "binary":
        return payload
    number = int.from_bytes(payload, sys.byteorder)
    if extra:
        names = schema.ENUMS[extra]
        return names[number] if number < len(names) else f"number-{number}"
    return number


def decode(set_name, data):
    """Makes a dictionary of attributes; those that this version does not know are passed over."""
    result = {}
    for number, payload in attributes(data):
        if number not in schema.SETS[set_name]:
            continue
        name, kind, extra, is_multi = schema.SETS[set_name][number]
        value = value_of(kind, extra, payload)
        if is_multi:
            result.setdefault(name, []).append(value)
        else:
            result[name] = value
    return result


def sentence(reply, flags):
    """The kernel's sentence in an answer with an error."""
    if not flags & ACK_TLVS or len(reply) < 20:
        return ""
    # The request stands before, as a whole or only its header.
    size = 16 if flags & CAPPED else struct.unpack_from("=I", reply, 4)[0]
    for number, payload in attributes(reply[4 + (size + 3 & ~3):]):
        if number == 1:
            return payload.rstrip(b"\0").decode(errors="replace")
    return ""


class Client:
    """A socket for the family."""

    def __init__(self, family=schema.NAME):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.socket.bind((0, 0))
        self.socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        with contextlib.suppress(OSError):
            self.socket.setsockopt(SOL_NETLINK, GET_STRICT, 1)
        self.sequence = 0
        self.family, self.groups = 16, {}
        name = attribute(CTRL_NAME, family.encode() + b"\0")
        try:
            (answer,) = self.exchange(CTRL_GETFAMILY, name, ACK)
        except Refused as error:
            if error.errno == errno.ENOENT:
                raise Missing from error
            raise
        for number, payload in attributes(answer):
            if number == CTRL_ID:
                self.family = struct.unpack("=H", payload)[0]
            elif number == CTRL_GROUPS:
                for _, group in attributes(payload):
                    parts = dict(attributes(group))
                    self.groups[parts[1].rstrip(b"\0").decode()] = struct.unpack("=I", parts[2])[0]

    def exchange(self, command, payload, flags):
        """Sends a request and returns what the answers hold, without their headers."""
        self.sequence += 1
        body = struct.pack("=BBH", command, 1, 0) + payload
        header = (16 + len(body), self.family, REQUEST | flags, self.sequence, 0)
        self.socket.send(struct.pack("=IHHII", *header) + body)
        found = []
        while True:
            for kind, flags_seen, sequence, data in self.messages():
                if sequence != self.sequence:
                    continue
                if kind in (ERROR, DONE):
                    code = -struct.unpack_from("=i", data)[0] if len(data) >= 4 else 0
                    if code > 0:
                        said = sentence(data, flags_seen) if kind == ERROR else ""
                        kind = Gone if code == errno.ENODEV else Refused
                        raise kind(code, said or errno.errorcode.get(code, str(code)))
                    return found
                if flags_seen & DUMP_INTR:
                    self.was_interrupted = True
                found.append(data[4:])

    def messages(self):
        """Yields (type, flags, sequence, data) of the messages of one datagram."""
        data = self.socket.recv(1 << 18)
        at = 0
        while at + 16 <= len(data):
            size, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
            yield kind, flags, sequence, data[at + 16:at + size]
            at += size + 3 & ~3

    def get(self, **asked):
        """Reads one thing."""
        asked = {name.replace("_", "-"): value for name, value in asked.items()}
        (answer,) = self.exchange(schema.COMMANDS["get"], encode(schema.TOP, asked), ACK)
        return decode(schema.TOP, answer)

    def dump(self, **asked):
        """Reads an interface and its peers; again, if they changed meanwhile."""
        asked = {name.replace("_", "-"): value for name, value in asked.items()}
        answers = self.exchange_whole(schema.COMMANDS["get"], encode(schema.TOP, asked))
        return [decode(schema.TOP, answer) for answer in answers]

    def exchange_whole(self, command, payload):
        """What the answers to a request for a dump hold; again, if they changed meanwhile."""
        for _ in range(10):
            self.was_interrupted = False
            answers = self.exchange(command, payload, DUMP)
            if not self.was_interrupted:
                break
        return answers

    def set(self, **asked):
        asked = {name.replace("_", "-"): value for name, value in asked.items()}
        self.exchange(schema.COMMANDS["set"], encode(schema.TOP, asked), ACK)

    def listen(self, *groups):
        for group in groups:
            self.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def events(self):
        """Yields (command, event) for ever; (None, None) where the kernel had to leave some out."""
        names = {number: name for name, number in schema.COMMANDS.items()}
        while True:
            try:
                for kind, _, _, data in self.messages():
                    if kind == self.family:
                        yield names.get(data[0]), decode(schema.TOP, data[4:])
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None, None
