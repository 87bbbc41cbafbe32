# SPDX-License-Identifier: GPL-2.0
"""The two ends: wg0 in the namespace "near", and the reference peer in "far"."""

import socket
import time

from wgtest import check
from wgtest.check import equal, run
from wgtest.genl import Client, Device, attr, name, namespace, peer, peers, sockaddr, u16, u32
from wgtest.machine import drop_counts
from wgtest.noise import Handshake, public
from wgtest.packets import Tap

PORT = 51820
# Clamped, as wg0 compares the key that is set with the one it stored.
LOCAL, REMOTE, OTHER, SECOND = (bytes([8 * n]) + bytes([n]) * 30 + bytes([64]) for n in (1, 2, 3, 4))
SECRETS = {"wg0": LOCAL, "P": REMOTE, "Q": OTHER}
WG0, P, Q = (public(secret) for secret in SECRETS.values())
LOW = bytes(32)
PSK = b"p" * 32

client = Client("near")


# --- the module's side


def fresh(endpoint=None):
    """wg0 without any history: peers P and Q, and one whose key is of low order."""
    for reader in (far, other_port):
        reader.receive(0)
    client.set(name("wg0"), u32(Device.FLAGS, Device.REPLACE_PEERS), u16(Device.LISTEN_PORT, PORT),
               attr(Device.PRIVATE_KEY, LOCAL), peers(
                   peer(P, psk=PSK, ips=["10.9.0.2/32", "fd09::2/128"],
                        endpoint=sockaddr(*endpoint) if endpoint else None),
                   peer(Q, ips=["10.9.0.3/32", "fd09::3/128"]), peer(LOW, ips=["10.9.0.4/32"])))


def drops(ifname="wg0"):
    """The counters of an interface that are not zero."""
    if check.ON_C:
        return {}
    return {reason: count for reason, count in drop_counts(ifname).items() if count}


def risen(before):
    return {key: value - before.get(key, 0) for key, value in drops().items() if value != before.get(key, 0)}


def stats():
    """Received bytes and endpoint of each peer."""
    return [(entry["rx"], entry["endpoint"]) for entry in client.get("wg0")["peers"]]


def received(which=0):
    return client.get("wg0")["peers"][which]["rx"]


def link(counter):
    with open(f"/run/near-stats/class/net/wg0/statistics/{counter}", encoding="ascii") as file:
        return int(file.read())


def nft(text):
    return run("ip netns exec near nft -f -", input=text)


def into_tunnel(address="10.9.0.2", data=b"x", count=1):
    """Sends packets from near; the error, if any."""
    with namespace("near"):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with out:
        try:
            for _ in range(count):
                out.sendto(data, (address, 9))
        except OSError as error:
            return error.errno
    return 0


# --- the reference peer's side


class Far:
    """A UDP socket of the reference peer."""

    def __init__(self, family=socket.AF_INET, port=PORT):
        with namespace("far"):
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        if family == socket.AF_INET:
            self.near = ("10.0.0.1", port)
            self.socket.bind(("10.0.0.2", 0))
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            self.near = ("fd00:0::1", port)
            self.socket.bind(("fd00:0::2", 0))
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        self.socket.setblocking(False)
        self.address = self.socket.getsockname()[:2]
        self.tos = []

    def send(self, message):
        self.socket.sendto(message, self.near)

    def receive(self, wait=0.06):
        """All that came within that time."""
        time.sleep(wait)
        found = []
        self.tos = []
        while True:
            try:
                data, ancillary, _, source = self.socket.recvmsg(2000, 100)
            except BlockingIOError:
                return found
            equal("source of an answer", source[:2], socket.getaddrinfo(*self.near)[0][4][:2])
            found.append(data)
            self.tos.append(ancillary[0][2][0])

    def connect(self, secret=REMOTE, psk=PSK, confirm=True):
        """A session that we begin."""
        handshake = Handshake(secret, WG0, psk)
        self.send(handshake.initiation())
        answer, = self.receive()
        session = handshake.accept_response(answer)
        if confirm:
            self.send(session.data())
            equal("nothing follows a confirmation", self.receive(), [])
        return session

    def asked(self, secret=REMOTE, psk=PSK):
        """The handshake that the other side begins, as there is a packet for us."""
        handshake = Handshake(secret, WG0, psk)
        into_tunnel()
        handshake.asked, = self.receive()
        handshake.timestamp = handshake.accept_initiation(handshake.asked)
        return handshake


far, other_port = Far(), Far()


def dropped(title, reason, *messages, answers=(), source=None):
    """Messages that raise exactly one counter by one; the reason None raises none."""
    source = source or far
    before, drops_before = stats(), drops()
    for message in messages:
        source.send(message)
    got = source.receive()
    equal(f"{title}: answers", [len(answer) for answer in got], list(answers))
    if not check.ON_C:
        equal(f"{title}: counters", risen(drops_before), {reason: 1} if reason else {})
    if not answers:
        equal(f"{title}: received bytes, endpoints", stats(), before)
    return got


def accepted(title, message, rx, answers=(), which=0, source=None):
    """A message that is received."""
    source = source or far
    before, drops_before = received(which), drops()
    source.send(message)
    got = source.receive()
    equal(f"{title}: answers", [len(answer) for answer in got], list(answers))
    equal(f"{title}: counters", risen(drops_before), {})
    equal(f"{title}: received bytes", received(which) - before, rx)
    return got


class Delivered(Tap):
    """Sees the packets that wg0 delivers."""

    def __init__(self):
        super().__init__("near", "wg0")
        with namespace("near"):
            # Without a socket at the port there would be ICMP errors.
            self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sink.bind(("0.0.0.0", 7000))

    def close(self):
        self.sink.close()
        super().close()
