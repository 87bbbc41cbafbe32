# SPDX-License-Identifier: GPL-2.0
"""Links by rtnetlink, one request at a time: where tests need the very system call, or cannot wait for a program.

Numbers: include/uapi/linux/{rtnetlink,if_link}.h.
"""

import socket
import struct

from genl import ACK, REQUEST, attr, namespace, read_status

NEWLINK, DELLINK, SETLINK, GETLINK = 16, 17, 19, 18
CREATE, EXCL = 0x400, 0x200
IFNAME, LINKINFO, NET_NS_FD = 3, 18, 28
INFO_KIND = 1
UP = 1


class Links:
    """The links of one namespace."""

    def __init__(self, where=None):
        with namespace(where):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK
        self.socket.bind((0, 0))
        self.socket.settimeout(60)
        self.seq = 1

    def close(self):
        self.socket.close()

    def message(self, kind, name, *attrs, flags=0, state=0, change=0):
        """A request about the link of this name."""
        self.seq += 1
        body = struct.pack("=BxHiII", 0, 0, 0, state, change) + attr(IFNAME, name.encode() + b"\0") + b"".join(attrs)
        return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, self.seq, 0) + body

    def added(self, name, kind="wireguard", into=None):
        """The request for a new link, in the namespace of the open file `into`."""
        attrs = [attr(LINKINFO, attr(INFO_KIND, kind.encode()))]
        if into is not None:
            attrs.append(attr(NET_NS_FD, struct.pack("=I", into)))
        return self.message(NEWLINK, name, *attrs, flags=CREATE | EXCL)

    def switched(self, name, is_up):
        """The request that brings a link up or down."""
        return self.message(NEWLINK, name, state=UP if is_up else 0, change=UP)

    def deleted(self, name):
        return self.message(DELLINK, name)

    def answer(self):
        """The error of the last request, or None. Raises OSError where there is no answer."""
        while True:
            data = self.socket.recv(1 << 16)
            length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            if seq == self.seq and kind == 2:
                return read_status(data[16:length], flags)

    def ask(self, message):
        self.socket.send(message)
        error = self.answer()
        if error:
            raise error

    def add(self, name, kind="wireguard", into=None):
        self.ask(self.added(name, kind, into))

    def up(self, name):
        self.ask(self.switched(name, True))

    def down(self, name):
        self.ask(self.switched(name, False))

    def delete(self, name):
        self.ask(self.deleted(name))

    def flags(self, name):
        """The flags of a link; None where there is none."""
        self.socket.send(self.message(GETLINK, name))
        found = None
        while True:
            data = self.socket.recv(1 << 16)
            length, kind, _, seq, _ = struct.unpack_from("=IHHII", data)
            if seq != self.seq:
                continue
            if kind == NEWLINK:
                found = struct.unpack_from("=I", data, 16 + 8)[0]
                # An acknowledgement may stand in the same datagram.
                data = data[(length + 3) & ~3:]
                if not data:
                    continue
            return found
