# SPDX-License-Identifier: GPL-2.0
"""Raw rtnetlink requests about links. Numbers: include/uapi/linux/{rtnetlink,if_link}.h."""

import socket
import struct

from genl import ACK, REQUEST, Error, attr, namespace, nest, parse, read_status

NEWLINK, DELLINK, GETLINK = 16, 17, 18
CREATE, EXCL = 0x400, 0x200


class Link:
    """Attributes of a link."""
    IFNAME, LINKINFO, NETNSID, XDP, HEADROOM, TAILROOM = 3, 18, 37, 43, 68, 69
    INFO_KIND, INFO_DATA = 1, 2
    XDP_FD, XDP_FLAGS = 1, 3
    XDP_FLAGS_SKB, XDP_FLAGS_DRV = 2, 4


class Links:
    """A socket of one namespace for requests about links."""

    def __init__(self, where=None):
        with namespace(where):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))
        self.socket.settimeout(20)
        self.seq = 1

    def ask(self, kind, *attrs, index=0, flags=0):
        """Sends a request; the attributes of the link that comes back, or none. Raises Error."""
        self.seq += 1
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + b"".join(attrs)
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, self.seq, 0) + body)
        found = None
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, what, more, _, _ = struct.unpack_from("=IHHII", data)
                payload = data[16:length]
                data = data[(length + 3) & ~3:]
                if what == 2:
                    error = read_status(payload, more)
                    if error:
                        raise error
                    return found
                if what == NEWLINK:
                    found = parse(payload[16:])

    def get(self, name):
        return self.ask(GETLINK, attr(Link.IFNAME, name.encode() + b"\0"))

    def add(self, name, data=None, *more):
        """Makes a link of kind "wireguard", with INFO_DATA if there is some."""
        return self.ask(NEWLINK, attr(Link.IFNAME, name.encode() + b"\0"), info(data), *more, flags=CREATE | EXCL)

    def change(self, name, *more):
        return self.ask(NEWLINK, attr(Link.IFNAME, name.encode() + b"\0"), *more)


def info(data=None, kind=b"wireguard"):
    parts = [attr(Link.INFO_KIND, kind)]
    if data is not None:
        parts.append(attr(Link.INFO_DATA | 0x8000, data))
    return nest(Link.LINKINFO, *parts)


def refused(ask, *args, **more):
    """The name of the error that a request gets, or "ok"."""
    try:
        ask(*args, **more)
    except Error as error:
        return error.name
    return "ok"
