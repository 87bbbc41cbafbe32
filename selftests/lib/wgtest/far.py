# SPDX-License-Identifier: GPL-2.0
"""A peer in user space, in the namespace "far", of the interface wg0 in "near": see `joined near
far`."""

import socket
import struct

from .genl import Client, Device, attr, name, namespace, peer, peers, u16, u32
from .noise import Handshake, public
from .packets import ip4, udp

PORT = 51820
NEAR, FAR = "10.0.0.1", "10.0.0.2"
# Inside.
NEAR_INSIDE, FAR_INSIDE = "10.9.0.1", "10.9.0.2"
# Clamped, as wg0 compares the key that is set with the one it stored.
LOCAL, REMOTE = (bytes([8 * n]) + bytes([n]) * 30 + bytes([64]) for n in (1, 2))
UDP_SEGMENT = 103


class Peer:
    """The peer, with a session that it has begun."""

    def __init__(self, where="far", near=NEAR):
        # Without any history, which would have us wait for the next handshake.
        Client("near").set(name("wg0"), u32(Device.FLAGS, Device.REPLACE_PEERS), u16(Device.LISTEN_PORT, PORT),
                           attr(Device.PRIVATE_KEY, LOCAL), peers(peer(public(REMOTE), ips=[f"{FAR_INSIDE}/32"])))
        with namespace(where):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((near, PORT))
        self.socket.settimeout(5)
        handshake = Handshake(REMOTE, public(LOCAL))
        self.socket.send(handshake.initiation())
        self.session = handshake.accept_response(self.socket.recv(2000))

    def message(self, data, port=7000):
        """A data message with a datagram for that port."""
        return self.session.data(ip4(FAR_INSIDE, NEAR_INSIDE, udp(data, dport=port)))

    def send(self, *messages, segment=None):
        """Sends them one by one, or those of one size as one packet of such segments."""
        if segment is None:
            for message in messages:
                self.socket.send(message)
        else:
            self.socket.sendmsg([b"".join(messages)],
                                [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", segment))])


class Reader:
    """A program at near's end of the tunnel."""

    def __init__(self, port=7000, wait=1):
        with namespace("near"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        self.socket.bind((NEAR_INSIDE, port))
        self.socket.settimeout(wait)

    def read(self, count):
        """At most `count` datagrams; fewer if no more come."""
        found = []
        try:
            while len(found) < count:
                found.append(self.socket.recv(1 << 16))
        except TimeoutError:
            pass
        return found
