# SPDX-License-Identifier: GPL-2.0
"""A raw generic netlink client: requests are put together byte by byte, so that they can be wrong
in any way.

Numbers: include/uapi/linux/{netlink,genetlink,wireguard}.h.
"""

import errno
import os
import socket
import struct
from contextlib import contextmanager

REQUEST, MULTI, ACK, ECHO, DUMP_INTR = 0x1, 0x2, 0x4, 0x8, 0x10
ROOT, MATCH = 0x100, 0x200
DUMP = ROOT | MATCH
NESTED = 0x8000

GET, SET = 0, 1


class Device:
    """Attributes of a device."""
    IFINDEX, IFNAME, PRIVATE_KEY, PUBLIC_KEY, FLAGS, LISTEN_PORT, FWMARK, PEERS = range(1, 9)
    REPLACE_PEERS = 1


class Peer:
    """Attributes of a peer."""
    (PUBLIC_KEY, PRESHARED_KEY, FLAGS, ENDPOINT, KEEPALIVE, LAST_HANDSHAKE, RX_BYTES, TX_BYTES, ALLOWEDIPS,
     VERSION) = range(1, 11)
    REMOVE_ME, REPLACE_ALLOWEDIPS, UPDATE_ONLY = 1, 2, 4


class AllowedIp:
    """Attributes of an allowed IP."""
    FAMILY, IPADDR, CIDR_MASK, FLAGS = range(1, 5)
    REMOVE_ME = 1


# --- attributes, from the inside out

def attr(kind, payload=b""):
    """One attribute with its padding."""
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + bytes(-len(data) % 4)


def u8(kind, value):
    return attr(kind, struct.pack("=B", value))


def u16(kind, value):
    return attr(kind, struct.pack("=H", value))


def u32(kind, value):
    return attr(kind, struct.pack("=I", value))


def nest(kind, *parts):
    return attr(kind | NESTED, b"".join(parts))


def name(text):
    return attr(Device.IFNAME, text.encode() + b"\0")


def allowed_ip(text, flags=None, kind=0):
    """An element of ALLOWEDIPS from "address/length"."""
    address, _, length = text.partition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    parts = [u16(AllowedIp.FAMILY, family), attr(AllowedIp.IPADDR, socket.inet_pton(family, address)),
             u8(AllowedIp.CIDR_MASK, int(length))]
    if flags is not None:
        parts.append(u32(AllowedIp.FLAGS, flags))
    return nest(kind, *parts)


def sockaddr(address, port, flow=0, scope=0):
    if ":" in address:
        return (struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, flow)
                + socket.inet_pton(socket.AF_INET6, address) + struct.pack("=I", scope))
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(address) + bytes(8)


def peer(key=None, flags=None, psk=None, endpoint=None, keepalive=None, ips=None, version=None, kind=0, extra=b""):
    """An element of PEERS; what is None is left out. `ips` holds texts or ready elements."""
    parts = []
    if key is not None:
        parts.append(attr(Peer.PUBLIC_KEY, key))
    if flags is not None:
        parts.append(u32(Peer.FLAGS, flags))
    if psk is not None:
        parts.append(attr(Peer.PRESHARED_KEY, psk))
    if endpoint is not None:
        parts.append(attr(Peer.ENDPOINT, endpoint))
    if keepalive is not None:
        parts.append(u16(Peer.KEEPALIVE, keepalive))
    if version is not None:
        parts.append(u32(Peer.VERSION, version))
    if ips is not None:
        parts.append(nest(Peer.ALLOWEDIPS, *(allowed_ip(ip) if isinstance(ip, str) else ip for ip in ips)))
    return nest(kind, *parts, extra)


def nth_key(number):
    """One of many public keys. Any bytes will do."""
    return number.to_bytes(4, "big") + bytes([1]) * 28


def peers(*elements):
    return nest(Device.PEERS, *elements)


def parse(data):
    """(type, payload) of each attribute, in order."""
    found = []
    while data:
        length, kind = struct.unpack_from("=HH", data)
        assert 4 <= length <= len(data), f"an attribute of length {length} in {len(data)} bytes"
        found.append((kind & 0x3fff, data[4:length]))
        data = data[(length + 3) & ~3:]
    return found


def show_endpoint(data):
    family, = struct.unpack_from("=H", data)
    if family == socket.AF_INET:
        assert len(data) == 16
        return f"{socket.inet_ntoa(data[4:8])}:{struct.unpack_from('!H', data, 2)[0]}"
    assert family == socket.AF_INET6 and len(data) == 28
    flow, = struct.unpack_from("!I", data, 4)
    scope, = struct.unpack_from("=I", data, 24)
    text = f"[{socket.inet_ntop(family, data[8:24])}]:{struct.unpack_from('!H', data, 2)[0]}"
    return text + (f" flow {flow}" if flow else "") + (f" scope {scope}" if scope else "")


def read_allowed_ip(data):
    found = dict(parse(data))
    family, = struct.unpack("=H", found[AllowedIp.FAMILY])
    length, = struct.unpack("=B", found[AllowedIp.CIDR_MASK])
    return f"{socket.inet_ntop(family, found[AllowedIp.IPADDR])}/{length}"


class Message:
    """One message of a reply."""

    def __init__(self, kind, flags, seq, payload):
        self.kind, self.flags, self.seq, self.payload = kind, flags, seq, payload

    def attrs(self):
        return parse(self.payload[4:])


class Error(Exception):
    """An error that the kernel answered, with its extended acknowledgement."""

    def __init__(self, number, text=None, offset=None, missing=None, missing_nest=None):
        super().__init__(f"{errno.errorcode.get(number, number)} ({text})")
        self.errno, self.text, self.offset, self.missing, self.missing_nest = (
            number, text, offset, missing, missing_nest)

    @property
    def name(self):
        # 95 has two names.
        return "EOPNOTSUPP" if self.errno == errno.EOPNOTSUPP else errno.errorcode.get(self.errno, str(self.errno))


def read_status(payload, flags):
    """The error in an NLMSG_ERROR or NLMSG_DONE message, or None."""
    number, = struct.unpack_from("=i", payload)
    if number == 0:
        return None
    rest = payload[4:]
    details = {}
    if flags & 0x200:  # NLM_F_ACK_TLVS
        length, = struct.unpack_from("=I", rest)
        # Capped (NLM_F_CAPPED): only the header of the request is repeated.
        rest = rest[16 if flags & 0x100 else (length + 3) & ~3:]
        for kind, value in parse(rest):
            if kind == 1:
                details["text"] = value.rstrip(b"\0").decode()
            elif kind in (2, 5, 6):
                key = {2: "offset", 5: "missing", 6: "missing_nest"}[kind]
                details[key], = struct.unpack("=I", value)
    return Error(-number, **details)


@contextmanager
def namespace(where):
    """Runs a block in the network namespace of this name; None is our own."""
    if where is None:
        yield
        return
    with open("/proc/self/ns/net", "rb") as ours, open(f"/run/netns/{where}", "rb") as theirs:
        os.setns(theirs.fileno(), os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(ours.fileno(), os.CLONE_NEWNET)


class Client:
    """A socket of one namespace that talks to one family."""

    def __init__(self, where=None, family="wireguard", buffer=1 << 16):
        with namespace(where):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.socket.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        self.socket.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK
        self.socket.bind((0, 0))
        self.socket.settimeout(20)
        self.buffer = buffer
        self.seq = 100
        # CTRL_CMD_GETFAMILY by CTRL_ATTR_FAMILY_NAME
        reply = self.ask(3, attr(2, family.encode() + b"\0"), flags=REQUEST | ACK, kind=0x10)
        self.family, = struct.unpack("=H", dict(reply[0].attrs())[1])

    def close(self):
        self.socket.close()

    def send(self, cmd, body=b"", flags=REQUEST | ACK, reserved=0, version=1, kind=None, raw=None):
        """Sends a request; `raw` stands for everything behind the netlink header."""
        self.seq += 1
        payload = struct.pack("=BBH", cmd, version, reserved) + body if raw is None else raw
        self.socket.send(struct.pack("=IHHII", 16 + len(payload), self.family if kind is None else kind, flags,
                                     self.seq, 0) + payload)

    def receive(self):
        """The messages of the next datagram."""
        data, _, flags, _ = self.socket.recvmsg(self.buffer)
        assert not flags & socket.MSG_TRUNC, f"the kernel wrote more than the {self.buffer} bytes that we read with"
        messages = []
        while data:
            length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            messages.append(Message(kind, flags, seq, data[16:length]))
            data = data[(length + 3) & ~3:]
        return messages

    def answers(self):
        """All messages up to the acknowledgement; raises Error where that is one."""
        found = []
        while True:
            for message in self.receive():
                if message.seq != self.seq:
                    continue
                if message.kind not in (2, 3):  # NLMSG_ERROR, NLMSG_DONE
                    found.append(message)
                    continue
                error = read_status(message.payload, message.flags)
                if error:
                    error.kind = message.kind
                    raise error
                self.done_flags = message.flags
                return found

    def ask(self, cmd, body=b"", **more):
        self.send(cmd, body, **more)
        return self.answers()

    def set(self, *parts, **more):
        return self.ask(SET, b"".join(parts), **more)

    def get_messages(self, *parts, **more):
        return self.ask(GET, b"".join(parts), flags=REQUEST | ACK | DUMP, **more)

    def get(self, ifname):
        """What GET says of an interface, as a dictionary that can be compared."""
        return merge(self.get_messages(name(ifname)))


def merge(messages):
    """Joins the messages of a dump as user space does: a peer goes on where the key is that of the
    one before."""
    device = {"peers": []}
    for message in messages:
        for kind, value in message.attrs():
            if kind == Device.LISTEN_PORT:
                device["port"], = struct.unpack("=H", value)
            elif kind == Device.FWMARK:
                device["fwmark"], = struct.unpack("=I", value)
            elif kind == Device.IFNAME:
                device["name"] = value.rstrip(b"\0").decode()
            elif kind == Device.PRIVATE_KEY:
                device["private"] = value
            elif kind == Device.PUBLIC_KEY:
                device["public"] = value
            elif kind == Device.PEERS:
                for _, element in parse(value):
                    add_peer(device["peers"], element)
    return device


def add_peer(known, element):
    found = parse(element)
    attrs = dict(found)
    key = attrs[Peer.PUBLIC_KEY]
    if not known or known[-1]["key"] != key:
        last = struct.unpack("=qq", attrs[Peer.LAST_HANDSHAKE])
        known.append({
            "key": key,
            "psk": attrs[Peer.PRESHARED_KEY],
            "keepalive": struct.unpack("=H", attrs[Peer.KEEPALIVE])[0],
            "endpoint": show_endpoint(attrs[Peer.ENDPOINT]) if Peer.ENDPOINT in attrs else None,
            "handshake": last,
            "tx": struct.unpack("=Q", attrs[Peer.TX_BYTES])[0],
            "rx": struct.unpack("=Q", attrs[Peer.RX_BYTES])[0],
            "ips": [],
        })
        assert struct.unpack("=I", attrs[Peer.VERSION])[0] == 1
    for kind, value in found:
        if kind == Peer.ALLOWEDIPS:
            known[-1]["ips"] += [read_allowed_ip(ip) for _, ip in parse(value)]
