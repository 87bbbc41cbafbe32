# SPDX-License-Identifier: GPL-2.0
"""Links by rtnetlink, one request at a time: where tests need the very system call, or cannot wait
for a program.

Numbers: include/uapi/linux/{rtnetlink,if_link}.h.
"""

import socket
import struct

from .genl import ACK, REQUEST, Error, attr, namespace, nest, parse, read_status

ERROR, NEWLINK, DELLINK, GETLINK = 2, 16, 17, 18
CREATE, EXCL = 0x400, 0x200
UP = 1


class Link:
    """Attributes of a link."""
    IFNAME, LINKINFO, NET_NS_FD, NETNSID, XDP, HEADROOM, TAILROOM = 3, 18, 28, 37, 43, 68, 69
    INFO_KIND, INFO_DATA = 1, 2
    XDP_FD, XDP_FLAGS = 1, 3
    XDP_FLAGS_SKB, XDP_FLAGS_DRV = 2, 4


def info(data=None, kind=b"wireguard"):
    """What a link is, with INFO_DATA if there is some."""
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


class Links:
    """The links of one namespace."""

    def __init__(self, where=None):
        with namespace(where):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK
        self.socket.bind((0, 0))
        self.socket.settimeout(60)
        self.seq = 1

    def close(self):
        self.socket.close()

    def message(self, what, *attrs, name=None, index=0, flags=0, state=0, change=0):
        """A request about the link of this name or index."""
        self.seq += 1
        if name is not None:
            attrs = (attr(Link.IFNAME, name.encode() + b"\0"), *attrs)
        body = struct.pack("=BxHiII", 0, 0, index, state, change) + b"".join(attrs)
        return struct.pack("=IHHII", 16 + len(body), what, REQUEST | ACK | flags, self.seq, 0) + body

    def added(self, name, data=None, into=None):
        """The request for a new link, in the namespace of the open file `into`."""
        attrs = [info(data)]
        if into is not None:
            attrs.append(attr(Link.NET_NS_FD, struct.pack("=I", into)))
        return self.message(NEWLINK, *attrs, name=name, flags=CREATE | EXCL)

    def switched(self, name, is_up):
        """The request that brings a link up or down."""
        return self.message(NEWLINK, name=name, state=UP if is_up else 0, change=UP)

    def answers(self):
        """The error of the last request, or None; and the link that came back, or None. OSError
        without an answer."""
        link = None
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
                payload = data[16:length]
                data = data[(length + 3) & ~3:]
                if seq == self.seq and kind == NEWLINK:
                    link = payload
                if seq == self.seq and kind == ERROR:
                    return read_status(payload, flags), link

    def answer(self):
        """The error of the last request, or None."""
        return self.answers()[0]

    def ask(self, message):
        """The link that comes back, or None. Raises Error."""
        self.socket.send(message)
        error, link = self.answers()
        if error:
            raise error
        return link

    def add(self, name, data=None, into=None):
        self.ask(self.added(name, data, into))

    def up(self, name):
        self.ask(self.switched(name, True))

    def down(self, name):
        self.ask(self.switched(name, False))

    def delete(self, name):
        self.ask(self.message(DELLINK, name=name))

    def change(self, *attrs, name=None, index=0):
        self.ask(self.message(NEWLINK, *attrs, name=name, index=index))

    def get(self, name):
        """The attributes of a link."""
        return parse(self.ask(self.message(GETLINK, name=name))[16:])

    def flags(self, name):
        """The flags of a link; None where there is none."""
        self.socket.send(self.message(GETLINK, name=name))
        link = self.answers()[1]
        return link and struct.unpack_from("=I", link, 8)[0]
