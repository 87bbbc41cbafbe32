# SPDX-License-Identifier: GPL-2.0
"""A reference peer (lib/noise.py) in the namespace "far" sends right and wrong messages to wg0 in "near".

After each wrong one: exactly the counter of its reason rose by one, nothing was answered, no byte was counted as
received, and the endpoint of the peer stayed. Time is that of instructions, so waiting costs nothing; but time leaps
while the guest waits for its disk, so nothing is read or written within a step.
"""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

# pylint: disable=wrong-import-position
import check
import noise
from check import at_once, equal, holds, run
from genl import Client, Device, attr, name, namespace, peer, peers, sockaddr, u16, u32
from noise import Handshake, Session, add_macs, garbled, public, tai64n

PORT = 51820
# Clamped, as wg0 compares the key that is set with the one it stored.
LOCAL, REMOTE, OTHER, SECOND = (bytes([8 * n]) + bytes([n]) * 30 + bytes([64]) for n in (1, 2, 3, 4))
SECRETS = {"wg0": LOCAL, "P": REMOTE, "Q": OTHER}
WG0, P, Q = (public(secret) for secret in SECRETS.values())
LOW = bytes(32)
PSK = b"p" * 32

REJECT_AFTER_MESSAGES = 2**64 - 8128 - 2
WINDOW = 8128

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
    if check.STOCK:
        return {}
    with open(f"/sys/kernel/debug/wireguard/{ifname}/drops", encoding="ascii") as file:
        lines = [line.split() for line in file]
    return {words[0]: int(words[1]) for words in lines if int(words[1])}


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


far = Far()
other_port = Far()


def refused(title, reason, *messages, answers=(), source=None):
    """Messages that raise exactly one counter by one; the reason None raises none."""
    source = source or far
    before, drops_before = stats(), drops()
    for message in messages:
        source.send(message)
    got = source.receive()
    equal(f"{title}: answers", [len(answer) for answer in got], list(answers))
    if not check.STOCK:
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


# --- packets inside

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return 0xffff - (total % 0xffff or 0xffff)


def ip4(source, destination, payload, total=None, version=4, protocol=17):
    total = 20 + len(payload) if total is None else total
    head = struct.pack("!BBHIBBH4s4s", version << 4 | 5, 0, total, 0, 64, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source, destination, payload, length=None, version=6):
    return struct.pack("!IHBB16s16s", version << 28, len(payload) if length is None else length, 59, 64,
                       socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, destination)) + payload


def udp(data, sport=9, dport=7000):
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


class Tap:
    """Sees the packets that wg0 delivers."""

    def __init__(self):
        with namespace("near"):
            # Without somebody at the port there would be ICMP errors.
            self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sink.bind(("0.0.0.0", 7000))
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind(("wg0", 3))
        self.socket.setblocking(False)

    def close(self):
        self.sink.close()
        self.socket.close()

    def packets(self):
        found = []
        while True:
            try:
                data, where = self.socket.recvfrom(65535)
            except BlockingIOError:
                return found
            if where[2] == socket.PACKET_HOST:
                found.append(data)


# --- the tests

def shapes():
    """Lengths and types."""
    fresh()
    for length in (0, 1, 2, 3):
        refused(f"{length} bytes", "rx-bad-length", bytes([1, 0, 0, 0])[:length])
    # rows F1 F2 F3 F4 F5
    for kind, lengths in ((1, (4, 147, 149, 0x94 + 16)), (2, (4, 91, 93, 148)), (3, (4, 63, 65, 32)), (4, (4, 16, 31))):
        for length in lengths:
            refused(f"type {kind} with {length} bytes", "rx-bad-length",
                    struct.pack("<I", kind) + bytes(length - 4))
    for kind, length in ((0, 148), (5, 148), (5, 32), (255, 64), (0x80000001, 148)):
        refused(f"type {kind}", "rx-bad-type", struct.pack("<I", kind) + bytes(length - 4))
    # All else is right, macs included.
    good = Handshake(REMOTE, WG0, PSK).initiation()
    for place in (1, 2, 3):
        bad = add_macs(good[:place] + b"\1" + good[place + 1:-32], WG0)
        # rows F5 E1 E10
        refused(f"reserved byte {place}", "rx-bad-type", bad)
        refused(f"reserved byte {place} of data", "rx-bad-type",
                b"\4\0\0\0"[:place] + b"\1" + b"\4\0\0\0"[place + 1:] + bytes(28))
    accepted("the right one", good, 148, [92])


def datagrams():
    """UDP lengths, checksums, fragments."""
    fresh()
    with namespace("far"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sport = far.address[1]

    class Raw:
        """Sends with this UDP header, and receives what comes to `far`."""

        def __init__(self, length, total=0, trailer=b""):
            self.length, self.total, self.trailer = length, total, trailer

        def send(self, message):
            body = struct.pack("!HHHH", sport, PORT, self.length, self.total) + message + self.trailer
            raw.sendto(ip4("10.0.0.2", "10.0.0.1", body), ("10.0.0.1", 0))

        def receive(self):
            return far.receive()

    def message():
        return Handshake(REMOTE, WG0, PSK).initiation()
    # The stack sorts these out before the module sees them.
    # row F6
    refused("UDP length too large", None, message(), source=Raw(157))
    refused("UDP length 65535", None, message(), source=Raw(65535))
    refused("UDP length 7", None, message(), source=Raw(7))
    refused("UDP length 0", None, message(), source=Raw(0))
    refused("wrong UDP checksum", None, message(), source=Raw(156, 0x1234))
    # The length counts, not what lies behind it.
    refused("UDP length too small", "rx-bad-length", message(), source=Raw(155))
    accepted("bytes behind the datagram", message(), 148, [92], source=Raw(156, trailer=bytes(33)))

    session = far.connect()
    tap = Tap()
    payload = bytes(range(256)) * 4
    run("ip -n far route add 10.0.0.1 dev veth mtu 300")
    try:
        # row F7
        accepted("fragments", session.data(ip4("10.9.0.2", "10.9.0.1", udp(payload))), 32 + 1056)
        accepted("fragmented initiation", Handshake(REMOTE, WG0, PSK).initiation(), 148, [92])
    finally:
        run("ip -n far route del 10.0.0.1 dev veth")
    equal("the packet in them", [len(data) for data in tap.packets()], [1052])
    tap.close()
    raw.close()


def initiations():
    fresh()

    def ask(secret=REMOTE, psk=PSK, **more):
        return Handshake(secret, WG0, psk).initiation(**more)
    good = ask()
    # row C1
    refused("wrong mac1", "rx-bad-mac1", good[:116] + garbled(good[116:132]) + good[132:])
    refused("mac1 for somebody else", "rx-bad-mac1", add_macs(good[:116], Q))
    refused("mac1 of zeros", "rx-bad-mac1", good[:116] + bytes(32))
    for place in (4, 8, 40, 88, 115):
        refused(f"byte {place} turned", "rx-bad-mac1", good[:place] + bytes([good[place] ^ 0x80]) + good[place + 1:])
    refused("static key that does not decrypt", "rx-initiation-bad-static", ask(spoil="static"))
    # row H3
    refused("ephemeral key of low order", "low-order-key", ask(ephemeral=LOW))
    refused("ephemeral key 1", "low-order-key", ask(ephemeral=b"\1" + bytes(31)))
    refused("other ephemeral key", "rx-initiation-bad-static", ask(ephemeral=P))
    refused("unknown static key", "rx-initiation-unknown-peer", ask(secret=b"u" * 32))
    refused("our own static key", "rx-initiation-unknown-peer", ask(secret=LOCAL))
    refused("peer of low order", "low-order-key", ask(static=LOW))
    refused("static key of somebody else", "rx-initiation-bad-timestamp", ask(secret=OTHER, static=P))
    refused("timestamp that does not decrypt", "rx-initiation-bad-timestamp", ask(spoil="timestamp"))

    now = time.time_ns()
    one = ask(timestamp=tai64n(now))
    accepted("right", one, 148, [92])
    time.sleep(0.1)
    # rows H6 H12
    refused("the same again", "rx-initiation-replayed", one)
    refused("the same time", "rx-initiation-replayed", ask(timestamp=tai64n(now)))
    refused("an earlier time", "rx-initiation-replayed", ask(timestamp=tai64n(now - 1)))
    refused("time zero", "rx-initiation-replayed", ask(timestamp=bytes(12)))
    refused("from elsewhere", "rx-initiation-replayed", one, source=other_port)
    accepted("a nanosecond later", ask(timestamp=tai64n(now + 1)), 148, [92])
    # mac2 is not looked at without load.
    time.sleep(0.1)
    # row C4
    accepted("any mac2", ask(timestamp=tai64n(now + 2), cookie=b"c" * 16), 148, [92])
    # Another peer's timestamps are its own.
    accepted("another peer", ask(OTHER, bytes(32), timestamp=tai64n(now - 10**12)), 148, [92], which=1)
    # The greatest timestamp survives down and up.
    time.sleep(0.1)
    run("ip -n near link set wg0 down")
    run("ip -n near link set wg0 up")
    # row H6
    refused("an earlier time after down and up", "rx-initiation-replayed", ask(timestamp=tai64n(now + 2)))

    time.sleep(0.1)
    before = drops()
    both = [ask(timestamp=tai64n(now + n)) for n in (10, 20)]
    with at_once():
        for message in both:
            far.send(message)
    # rows K9 H12
    equal("two at once: answers", [len(answer) for answer in far.receive()], [92])
    if not check.STOCK:
        equal("two at once: counters", risen(before), {"rx-initiation-flood": 1})
    # What was refused as too early is no replay later.
    accepted("the second one again", both[1], 148, [92])


def no_identity():
    """Without a private key all handshakes are refused, those whose mac1 is of a key of zeros included."""
    fresh(far.address)
    good = Handshake(REMOTE, WG0, PSK).initiation()
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, bytes(32)))
    # rows H2 SK3
    refused("mac1 of the old key", "rx-bad-mac1", good)
    forged = good[:116] + noise.blake2s(good[:116], bytes(32), 16) + bytes(16)
    refused("mac1 of no key", "rx-bad-mac1", forged)
    response = struct.pack("<III", 2, 1, 2) + bytes(48)
    refused("a response", "rx-bad-mac1", response + noise.blake2s(response, bytes(32), 16) + bytes(16))
    before = drops()
    into_tunnel()
    equal("nothing is sent", far.receive(), [])
    if not check.STOCK:
        equal("a packet to send", risen(before), {"no-identity": 1})
    # It goes as soon as there is a key. Their initiation replaces ours.
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, LOCAL))
    equal("with the key again", [len(message) for message in far.receive()], [148])
    # rows H1 H7 K1
    accepted("their handshake", good, 148, [92])


def data():
    fresh()
    session = far.connect()
    refused("unknown index", "rx-data-unknown-index",
            Session(0, session.remote ^ 1, session.sending, b"").data(b"", counter=1))
    good = session.data(counter=10)
    refused("wrong tag", "rx-data-bad", garbled(good))
    refused("wrong counter", "rx-data-bad", good[:8] + b"\x0b" + good[9:])
    refused("wrong key", "rx-data-bad", Session(0, session.remote, bytes(32), b"").data())
    refused("cut short", "rx-data-bad", session.data(bytes(64), counter=11)[:-16])
    refused("made longer", "rx-data-bad", session.data(bytes(64), counter=11) + bytes(16))
    refused("nothing but zeros", "rx-data-bad", good[:16] + bytes(16))
    refused("both directions' keys swapped", "rx-data-bad", Session(0, session.remote, session.receiving, b"").data())
    # rows R1 E6
    accepted("keepalive", good, 32)
    # row R3
    refused("the same again", "rx-data-replayed", good)
    refused("the same from elsewhere", "rx-data-replayed", good, source=other_port)
    accepted("an earlier one", session.data(counter=9), 32)
    accepted("not padded", session.data(b"", counter=12, pad=False), 32)

    top = 20000
    accepted("a jump", session.data(counter=top), 32)
    refused("older than the window", "rx-data-replayed", session.data(counter=top - WINDOW - 1))
    # rows R2 K2
    accepted("the oldest in the window", session.data(counter=top - WINDOW), 32)
    refused("that again", "rx-data-replayed", session.data(counter=top - WINDOW))
    refused("0 after the window has moved on", "rx-data-replayed", session.data(counter=0))
    for counter in (top - 64, top - 63, top - 1, top + 1, top + 64, top + 63):
        accepted(f"{counter - top} from the top", session.data(counter=counter), 32)
        refused(f"{counter - top} again", "rx-data-replayed", session.data(counter=counter))

    # At the end of the counters. One that is beyond it does not end the session, the last one does.
    refused("largest counter", "rx-data-counter-limit", session.data(counter=2**64 - 1))
    # row S6
    refused("limit", "rx-data-counter-limit", session.data(counter=REJECT_AFTER_MESSAGES))
    accepted("last before the limit", session.data(counter=REJECT_AFTER_MESSAGES - 1), 32)
    refused("after the last", "rx-data-counter-limit", session.data(counter=REJECT_AFTER_MESSAGES - 2))
    refused("the session is over", "rx-data-expired", session.data(counter=REJECT_AFTER_MESSAGES - 3))
    far.connect()


def sessions():
    """Slots: what counts before confirmation, after the next handshake, after the one after that."""
    fresh()
    first = far.connect(confirm=False)
    # No session is ours to send by, and a handshake was sent just now: the packet waits (rows H4 S2 S5).
    into_tunnel()
    equal("before confirmation", far.receive(), [])
    # row H9
    equal("time of the handshake before confirmation", client.get("wg0")["peers"][0]["handshake"], (0, 0))
    equal("confirmation lets it go", [len(answer) for answer in accepted("confirmation", first.data(), 32, [64])], [64])

    seconds, _ = client.get("wg0")["peers"][0]["handshake"]
    holds(f"time of the handshake: {seconds}", abs(seconds - time.time()) < 5)

    time.sleep(0.1)
    # rows S1 S3 S6
    second = far.connect(confirm=False)
    accepted("old session before confirmation of the new one", first.data(), 32)
    into_tunnel()
    answer, = far.receive()
    equal("sent by the old session", first.open(answer)[0], 1)
    accepted("confirmation of the new one", second.data(), 32)
    into_tunnel()
    answer, = far.receive()
    equal("sent by the new session", second.open(answer)[0], 0)
    # rows S1 S3
    accepted("previous session", first.data(), 32)

    time.sleep(0.1)
    third = far.connect(confirm=False)
    # A response drops the previous session.
    refused("the one before the previous", "rx-data-unknown-index", first.data())
    time.sleep(0.1)
    fourth = far.connect(confirm=False)
    # row S2
    refused("a session never confirmed, after the next", "rx-data-unknown-index", third.data())
    accepted("the current one", second.data(), 32)
    accepted("the next one", fourth.data(), 32)
    # A change of our key leaves no session to send by, but one to receive by.
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, LOCAL))
    into_tunnel()
    # row SK1
    equal("the same key changes nothing", [len(answer) for answer in far.receive()], [64])
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, OTHER))
    into_tunnel()
    # rows SK2 SK4 T14
    equal("another key begins a handshake", [len(answer) for answer in far.receive()], [148])
    accepted("received by the current one", fourth.data(), 32)
    accepted("received by the previous one", second.data(), 32)


def waiting():
    """What sends packets that wait, besides an answer."""
    # row P11: five seconds after our own message a handshake may begin, but nothing asks for one. A SET of the peer does.
    fresh()
    far.connect(confirm=False)
    into_tunnel()
    equal("a packet waits", far.receive(5.5), [])
    client.set(name("wg0"), peers(peer(Q)))
    equal("a SET of another peer", far.receive(), [])
    client.set(name("wg0"), peers(peer(P)))
    equal("a SET of this peer", [len(message) for message in far.receive()], [148])

    # row T9: a keepalive that is due while a packet waits is nothing more than that packet.
    fresh(far.address)
    asked = far.asked()
    client.set(name("wg0"), peers(peer(P, keepalive=1000)))
    equal("a keepalive is due", far.receive(), [])
    accepted("the answer sends the packet alone", asked.response()[0], 92, [64])
    # And alone it is a keepalive.
    client.set(name("wg0"), peers(peer(P, keepalive=0)))
    client.set(name("wg0"), peers(peer(P, keepalive=1000)))
    equal("nothing waits", [len(message) for message in far.receive()], [32])


def inner():
    fresh()
    session = far.connect()
    tap = Tap()
    v4, v6 = ("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")

    def errors():
        return [link(counter) for counter in ("rx_errors", "rx_frame_errors", "rx_length_errors")]

    def wrong(title, reason, packet, *expected, **more):
        before = errors()
        size = sum(rx for rx, _ in stats())
        refused(title, reason, session.data(packet, **more))
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


def roaming():
    """Only what is authentic moves the endpoint; and that does, whatever is in the packet."""
    fresh()
    session = far.connect()
    here, there = (f"{address}:{port}" for address, port in (far.address, other_port.address))

    def endpoint():
        return client.get("wg0")["peers"][0]["endpoint"]
    equal("by an initiation", endpoint(), here)
    refused("wrong tag", "rx-data-bad", garbled(session.data()), source=other_port)
    equal("stays", endpoint(), here)
    before = drops()
    other_port.send(session.data(ip4("10.9.0.3", "10.9.0.1", b"")))
    equal("no answer", other_port.receive(), [])
    if not check.STOCK:
        equal("a source not allowed", risen(before), {"rx-inner-bad-source": 1})
    # row E2
    equal("moves all the same", endpoint(), there)
    into_tunnel()
    equal("packets go there", [len(answer) for answer in other_port.receive()], [64])
    accepted("keepalive", session.data(), 32)
    equal("and back", endpoint(), here)


def responses():
    """The module begins."""
    fresh(far.address)
    asked = far.asked()
    answer, session = asked.response()
    refused("wrong mac1", "rx-bad-mac1", garbled(answer[:76]) + answer[76:])
    refused("unknown index", "rx-response-unknown-index", asked_again(asked).response(index=asked.sender ^ 1)[0])
    refused("does not decrypt", "rx-response-bad", asked_again(asked).response(spoil=True)[0])
    refused("wrong PSK", "rx-response-bad", asked_again(asked, psk=bytes(32)).response()[0])
    refused("ephemeral key of low order", "low-order-key", asked_again(asked).response(ephemeral=LOW)[0])
    refused("other ephemeral key", "rx-response-bad", asked_again(asked).response(ephemeral=P)[0])
    refused("data for the index of a handshake", "rx-data-unknown-index",
            Session(0, asked.sender, bytes(32), b"").data())
    # rows H8 S7
    got = accepted("right", answer, 92, [64])
    if got:
        counter, packet = session.open(got[0])
        equal("the waiting packet", (counter, packet[:20]), (0, packet[:20]))
        holds("it is IPv4", packet[0] >> 4 == 4)
    refused("the same again", "rx-response-unknown-index", answer)
    accepted("data", session.data(), 32)

    # K10: the answer to an initiation that was replaced by a newer one.
    fresh(far.address)
    old = far.asked()
    new = Handshake(REMOTE, WG0, PSK)
    # Five seconds, a jitter of up to a third and a timer that is late by up to 0.26 s.
    again, = far.receive(6)
    equal("second try", len(again), 148)
    new_time = new.accept_initiation(again)
    # row H5
    holds("other index, other key, later", new.sender != old.sender and new.point != old.point
          and new_time > old.timestamp)
    # rows H5 H12
    refused("answer to the first try", "rx-response-unknown-index", old.response()[0])
    mixed = asked_again(old).response(index=new.sender)[0]
    refused("answer to the first try under the index of the second", "rx-response-bad", mixed)
    accepted("answer to the second try", new.response()[0], 92, [64])

    # Their initiation while ours is pending: ours is given up.
    fresh(far.address)
    asked = far.asked()
    session = far.connect(confirm=False)
    refused("answer to what was given up", "rx-response-unknown-index", asked.response()[0])
    accepted("their session", session.data(), 32, [64])


def asked_again(asked, psk=PSK):
    """A handshake in the state in which this one was before it was answered."""
    handshake = Handshake(REMOTE, WG0, psk)
    handshake.accept_initiation(asked.asked)
    return handshake


def cookies():
    """The module's own cookies: what it accepts, and that it uses them."""
    fresh(far.address)
    refused("no such index", "rx-cookie-unknown-index", noise.cookie_reply(1, b"c" * 16, P, bytes(148)))
    asked = far.asked()
    sent = asked.asked
    reply = noise.cookie_reply(asked.sender, b"c" * 16, P, sent)
    # row F3
    refused("does not decrypt", "rx-cookie-bad", garbled(reply))
    refused("other nonce", "rx-cookie-bad", reply[:8] + bytes(24) + reply[32:])
    refused("of somebody else", "rx-cookie-bad", noise.cookie_reply(asked.sender, b"c" * 16, Q, sent))
    refused("for another message", "rx-cookie-bad", noise.cookie_reply(asked.sender, b"c" * 16, P, bytes(148)))
    refused("wrong index", "rx-cookie-unknown-index", noise.cookie_reply(asked.sender ^ 1, b"c" * 16, P, sent))
    equal("no cookie, no mac2", sent[-16:], bytes(16))
    # It is accepted from anywhere, moves nothing, and starts nothing.
    # row C6
    refused("right", None, reply, source=other_port)
    refused("a second one", "rx-cookie-unexpected", reply)
    again, = far.receive(6)
    holds("the next try has mac2", noise.has_mac2(again, b"c" * 16) and noise.has_mac1(again, P))
    # It is good for 115 seconds. Meanwhile the tries come to their end.
    tries = far.receive(110)
    # row K11
    holds(f"tries with mac2: {len(tries)}", len(tries) > 15
          and all(noise.has_mac2(message, b"c" * 16) for message in tries))
    time.sleep(5)
    into_tunnel()
    fresh_try = far.receive()
    equal("then it is not used any more", [message[-16:] for message in fresh_try], [bytes(16)])


def junk():
    """Initiations with a right mac1 and nothing else."""
    return add_macs(struct.pack("<II", 1, 7) + os.urandom(108), WG0)


def load():
    fresh(far.address)
    noisy = Far()
    flood = junk()

    def overload(*messages, count=600):
        """Sends junk and then these messages; what is answered to them, and the counters."""
        before = drops()
        with at_once():
            for _ in range(count):
                noisy.send(flood)
            for message in messages:
                far.send(message)
        time.sleep(0.4)
        noisy.receive(0)
        return far.receive(), risen(before)

    # Idle again after each step, so that the module has no cause to count other packets.
    ask = Handshake(REMOTE, WG0, PSK)
    first = ask.initiation()
    answers, counted = overload(first)
    # row C2
    equal("a right one without mac2", [len(answer) for answer in answers], [64])
    # row K18
    equal("answer has no DSCP", far.tos, [0])
    if not check.STOCK:
        equal("counters", counted, {"rx-cookie-sent": 601})
    index, cookie = noise.open_cookie(answers[0], WG0, first)
    equal("index in the reply", index, ask.index)

    def asking(count, **more):
        return [Handshake(REMOTE, WG0, PSK).initiation(**more) for _ in range(count)]
    # A burst of five per address passes; of those, one per 20 ms.
    answers, counted = overload(*asking(10, cookie=cookie))
    # rows C4 K15
    equal("ten with mac2", [len(answer) for answer in answers], [92])
    if not check.STOCK:
        equal("counters", counted, {"rx-cookie-sent": 600, "rx-initiation-flood": 4, "rx-rate-limited": 5})
    time.sleep(2)
    answers, _ = overload(*asking(1, cookie=garbled(cookie)))
    equal("wrong mac2", [len(answer) for answer in answers], [64])
    holds("the same cookie for the same address", len(answers) == 1)
    time.sleep(2)
    overload()
    before = drops()
    other_port.send(asking(1, cookie=cookie)[0])
    # row C3
    equal("mac2 from another port", [len(answer) for answer in other_port.receive()], [64])
    if not check.STOCK:
        equal("its counter", risen(before), {"rx-cookie-sent": 1})
    overload()
    wrong = asking(1)[0]
    refused("wrong mac1 is not answered", "rx-bad-mac1", wrong[:116] + garbled(wrong[116:132]) + bytes(16))

    # The secret is two minutes old at most.
    time.sleep(125)
    answers, _ = overload(*asking(1, cookie=cookie))
    # row K11
    equal("mac2 of an old secret", [len(answer) for answer in answers], [64])

    # Calm again a second later.
    time.sleep(1.5)
    accepted("without load", asking(1)[0], 148, [92])

    # row K14: how many have to wait for that.
    def answered(count):
        time.sleep(3)
        noisy.receive(0)
        with at_once():
            for _ in range(count):
                noisy.send(flood)
        return [len(message) for message in noisy.receive(0.4)]
    equal("511 messages wait", answered(511), [])
    # row C8, and row SP3 for cookies: counted for the interface alone, and marked.
    client.set(name("wg0"), u32(Device.FWMARK, 0x44))
    nft("""table inet t {
        counter marked { }
        chain out { type filter hook output priority 0; udp sport 51820 meta mark 0x44 counter name marked; }
    }""")
    before = [link(counter) for counter in ("tx_bytes", "tx_packets")], client.get("wg0")["peers"]
    equal("512 messages wait", answered(512), [64] * 512)
    after = [link(counter) for counter in ("tx_bytes", "tx_packets")], client.get("wg0")["peers"]
    equal("sent by the interface", [a - b for a, b in zip(after[0], before[0])], [512 * 64, 512])
    equal("peers", after[1], before[1])
    holds("the mark of cookie replies", "packets 512 " in nft("list counter inet t marked"))
    nft("delete table inet t")
    client.set(name("wg0"), u32(Device.FWMARK, 0))

    # A response under load is asked for a cookie too.
    fresh(far.address)
    time.sleep(1.5)
    asked = far.asked()
    response, session = asked.response()
    answers, counted = overload(response)
    equal("a response without mac2", [len(answer) for answer in answers], [64])
    if answers:
        index, cookie = noise.open_cookie(answers[0], WG0, response)
        equal("index in the reply", index, asked.index)
        far.send(add_macs(response[:60], WG0, cookie))
        answer, = far.receive()
        equal("then it is accepted", session.open(answer)[0], 0)

    # More than there is room for.
    time.sleep(2)
    fresh()
    before = drops()
    with at_once():
        for _ in range(4096 + 9):
            noisy.send(flood)
    time.sleep(2)
    if not check.STOCK:
        # rows K13 X5
        equal("a full queue", risen(before), {"rx-cookie-sent": 4096, "rx-handshake-queue-full": 9})
    noisy.receive(1.5)
    noisy.socket.close()
    far.connect()


def nft(text):
    return run("ip netns exec near nft -f -", input=text)


def other_interface():
    """Load and limits are a matter of one interface here, and of the module or namespace in the C module."""
    fresh(far.address)
    run("ip -n near link add wg1 type wireguard")
    client.set(name("wg1"), u16(Device.LISTEN_PORT, PORT + 1), attr(Device.PRIVATE_KEY, SECOND), peers(peer(P, psk=PSK)))
    run("ip -n near link set wg1 up")
    time.sleep(3)
    noisy, second, noisy2 = Far(), Far(port=PORT + 1), Far(port=PORT + 1)
    flood = junk()
    flood2 = add_macs(struct.pack("<II", 1, 7) + os.urandom(108), public(SECOND))

    def both(first=(), then=(), count=600):
        """Load on wg0 and then these messages, load on wg1 and then those; the answers to both."""
        with at_once():
            for _ in range(count):
                noisy.send(flood)
            for message in first:
                far.send(message)
            for _ in range(count if then else 0):
                noisy2.send(flood2)
            for message in then:
                second.send(message)
        time.sleep(0.3)
        return far.receive(), second.receive()
    # row C5
    both()
    asking = Handshake(REMOTE, public(SECOND), PSK)
    second.send(asking.initiation())
    equal("beside an interface under load", [len(answer) for answer in second.receive()], [64 if check.STOCK else 92])
    # row NS6: the same address has a limit at each of them.
    time.sleep(3)
    here, there = Handshake(REMOTE, WG0, PSK), Handshake(REMOTE, public(SECOND), PSK)
    sent = here.initiation(), there.initiation()
    answers = both(sent[:1], sent[1:])
    equal("cookies", [len(answer) for got in answers for answer in got], [64, 64])
    cookies_of = (noise.open_cookie(answers[0][0], WG0, sent[0])[1],
                  noise.open_cookie(answers[1][0], public(SECOND), sent[1])[1])
    time.sleep(3)
    before = drops("wg1")
    answers = both([Handshake(REMOTE, WG0, PSK).initiation(cookie=cookies_of[0]) for _ in range(10)],
                   [Handshake(REMOTE, public(SECOND), PSK).initiation(cookie=cookies_of[1])])
    # (In the C module it depends on which interface's worker comes first.)
    if not check.STOCK:
        equal("an address that has used up its limit at the other interface", [len(answer) for answer in answers[1]], [92])
        equal("its counter", drops("wg1").get("rx-rate-limited", 0), before.get("rx-rate-limited", 0))
    run("ip -n near link del wg1")
    for end in (noisy, second, noisy2):
        end.socket.close()
    # Nothing after this is to be under load.
    time.sleep(2)


def wire():
    """What the module sends: lengths, zeros, service classes."""
    for family, address in ((socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00:0::2")):
        end = Far(family)
        fresh((address, end.address[1]))
        into_tunnel()
        first, = end.receive()
        equal("initiation", (len(first), first[:4], end.tos), (148, b"\1\0\0\0", [0x88]))
        handshake = Handshake(REMOTE, WG0, PSK)
        # row K10
        equal("nanoseconds are rounded", int.from_bytes(handshake.accept_initiation(first)[8:], "big") % (1 << 24), 0)
        response, session = handshake.response()
        end.send(response)
        data, = end.receive()
        equal("first data", (len(data), data[:4], end.tos), (64, b"\4\0\0\0", [0]))
        asking = Handshake(REMOTE, WG0, PSK)
        end.send(asking.initiation())
        answer, = end.receive()
        equal("response", (len(answer), answer[:4], end.tos), (92, b"\2\0\0\0", [0x88]))
        equal("mac2", answer[-16:], bytes(16))
        session = asking.accept_response(answer)
        end.send(session.data())
        end.receive()
        sizes = list(range(0, 36)) + [1364, 1376, 1390, 1391, 1392]
        for size in sizes:
            into_tunnel(data=b"\xff" * size)
        messages = end.receive(0.2)
        equal("messages", len(messages), len(sizes))
        for number, (size, message) in enumerate(zip(sizes, messages)):
            counter, packet = session.open(message)
            inside = 28 + size
            padded = min((inside + 15) // 16 * 16, 1420)
            equal(f"{size} bytes: counter, reserved bytes, length", (counter, message[1:4], len(packet)),
                  (number, bytes(3), padded))
            # rows D6 D11
            equal(f"{size} bytes: padding", packet[inside:], bytes(padded - inside))
            equal(f"{size} bytes: content", packet[28:inside], b"\xff" * size)
        equal("classes", set(end.tos), {0})
        # A keepalive ten seconds after data that was not answered.
        tap = Tap()
        end.send(session.data(ip4("10.9.0.2", "10.9.0.1", udp(b"x"))))
        keepalive = end.receive(11)
        equal("keepalive", [len(message) for message in keepalive], [32])
        # row D17
        equal("its content", session.open(keepalive[0])[1], b"")
        tap.close()
        end.socket.close()


def ages():
    """Sessions are too old after 180 seconds and forgotten after 540."""
    fresh()
    session = far.connect()
    time.sleep(178)
    accepted("178 seconds", session.data(), 32)
    time.sleep(3)
    # row K3
    refused("181 seconds", "rx-data-expired", session.data())
    refused("still", "rx-data-expired", session.data())
    time.sleep(355)
    refused("536 seconds", "rx-data-expired", session.data())
    # The kernel rounds timers of that length up to steps of 131 seconds.
    time.sleep(6 + 132)
    refused("674 seconds", "rx-data-unknown-index", session.data())


def sending():
    """What cannot be sent."""
    fresh()
    before = drops()

    def counted(title, *expected):
        nonlocal before
        seen = risen(before)
        before = drops()
        if not check.STOCK:
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
    dropped = link("tx_dropped")
    before = drops()
    into_tunnel(count=140)
    equal("handshake", [len(message) for message in far.receive()], [148])
    # rows K12 E8
    counted("140 wait", ("tx-staged-overflow", 11))
    equal("tx_dropped", link("tx_dropped") - dropped, 11)
    equal("tries", len(far.receive(120)), 19)
    counted("given up", ("tx-gave-up", 129))
    equal("tx_dropped", link("tx_dropped") - dropped, 140)


# What cannot be had from outside: the stack, the state of the machine or a race of two CPUs come before it.
BEYOND_REACH = {
    "rx-bad-datagram", "rx-rng-not-ready", "handshake-wrong-state", "rx-response-superseded", "rx-data-queue-full",
    "no-memory", "tx-segmentation", "tx-queue-full", "tx-encrypt", "tx-no-socket",
}


def coverage():
    """Each counter rose at some time, but for those that nobody outside can raise."""
    if check.STOCK or len(sys.argv) > 1:
        return
    with open("/sys/kernel/debug/wireguard/wg0/drops", encoding="ascii") as file:
        never = {line.split()[0] for line in file if line.endswith(" 0\n")}
    # row E10
    equal("never counted", sorted(never), sorted(BEYOND_REACH))


# /sys shows the network of who mounted it.
os.makedirs("/run/near-stats", exist_ok=True)
run("nsenter --net=/run/netns/near mount -t sysfs near /run/near-stats")
noise.demonstrate()
# Reading a program or module from the disk takes any amount of guest time: done before anything counts.
fresh()
into_tunnel()
drops()
link("rx_errors")
check.main(shapes, datagrams, initiations, no_identity, data, sessions, waiting, inner, roaming, responses, cookies, load,
           other_interface, wire, ages, sending, coverage)
