# SPDX-License-Identifier: GPL-2.0
"""Strangers in "far" begin handshakes with wg0 in "near", where a daemon listens."""

import select
import socket
import time

from wgtest import check
from wgtest.check import equal, holds
from wgtest.genl import Client, Device, attr, name, namespace, peer, peers, u16, u32
from wgtest.noise import Handshake, public

import netlink

PORT = 51820
LOCAL = bytes([8]) + bytes([2]) * 30 + bytes([64])
RESPONSE = 92
# What wg0 keeps at most, and for how long in seconds.
MAX_KEPT, KEPT_FOR = 64, 5
BURST, RATE = 128, 200

config = Client("near")
with namespace("near"):
    diag, daemon = netlink.Client(), netlink.Client()
daemon.listen("unknown")
daemon.socket.settimeout(10)
events = daemon.events()


class Stranger:
    """The holder of a key that is new to wg0."""

    made = 0

    def __init__(self, address="10.0.0.2"):
        Stranger.made += 1
        self.secret = bytes([8]) + Stranger.made.to_bytes(30, "big") + bytes([64])
        self.key = public(self.secret)
        self.handshake = Handshake(self.secret, public(LOCAL))
        with namespace("far"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.connect(("10.0.0.1", PORT))
        self.socket.settimeout(5)

    def begin(self, **more):
        self.socket.send(self.handshake.initiation(**more))

    def finish(self):
        """Sends something under the session that the response begins."""
        response = self.socket.recv(2000)
        equal("length of the response", len(response), RESPONSE)
        self.socket.send(self.handshake.accept_response(response).data())

    def is_answered(self):
        """Whether a response has come by now."""
        return bool(select.select([self.socket], [], [], 0)[0])


def announce(on):
    diag.set(ifname="wg0", announce_unknown=on)


def add(*strangers):
    config.set(name("wg0"), peers(*(peer(stranger.key) for stranger in strangers)))


def dropped(reason):
    """How often wg0 has dropped something for this reason."""
    found = diag.get(ifname="wg0")["interface"].get("refusal", [])
    return next((entry["count"] for entry in found if entry["reason"] == reason), 0)


def await_refusals(reason, count):
    holds(f"{count} drops, {reason}", check.eventually(10, lambda: dropped(reason) >= count))


def told_of(stranger):
    """The next event, which must tell of this one."""
    command, event = next(events)
    equal("command", command, "unknown-ntf")
    equal("event", (event["ifname"], event["event"]), ("wg0", "unknown-peer"))
    address, port = stranger.socket.getsockname()
    endpoint = {"address": socket.inet_aton(address), "port": port}
    equal("the peer of the event", event["peer"], {"public-key": stranger.key, "endpoint": endpoint})
    return event["sequence"]


def off_at_first():
    config.set(name("wg0"), u16(Device.LISTEN_PORT, PORT), attr(Device.PRIVATE_KEY, LOCAL))
    equal("announce-unknown", diag.get(ifname="wg0")["announce-unknown"], 0)
    early, later = Stranger(), Stranger()
    early.begin()
    await_refusals("rx-initiation-unknown-peer", 1)
    announce(1)
    equal("announce-unknown", diag.get(ifname="wg0")["announce-unknown"], 1)
    add(early)
    later.begin()
    told_of(later)
    holds("no answer to what came before", not early.is_answered())


def just_in_time():
    stranger = Stranger()
    stranger.begin()
    told_of(stranger)
    holds("no answer to a stranger", not stranger.is_answered())
    add(stranger)
    stranger.finish()
    state = lambda: diag.get(ifname="wg0", public_key=stranger.key)["peer"]["state"]
    holds("a session", check.eventually(5, lambda: state() == "session"))


def forged():
    """A sender that has seen a public key claims to be its holder."""
    victim, thief = Stranger(), Stranger()
    before = dropped("rx-initiation-bad-timestamp")
    thief.begin(static=victim.key)
    await_refusals("rx-initiation-bad-timestamp", before + 1)
    thief.begin()
    first = told_of(thief)
    victim.begin()
    equal("numbers of events", told_of(victim), first + 1)


def many():
    """Of one more than can be kept, one of the oldest is forgotten."""
    strangers = [Stranger(f"10.1.0.{n + 1}") for n in range(MAX_KEPT + 1)]
    messages = [stranger.handshake.initiation() for stranger in strangers]
    announce(0)
    announce(1)
    for stranger, message in zip(strangers, messages):
        stranger.socket.send(message)
    told = {next(events)[1]["peer"]["public-key"] for _ in strangers}
    holds("events for each of them", told == {stranger.key for stranger in strangers})
    add(*strangers)
    answered = lambda: sum(stranger.is_answered() for stranger in strangers)
    check.eventually(5, lambda: answered() >= MAX_KEPT)
    equal("how many are answered", answered(), MAX_KEPT)


def limited():
    """A flood of initiations, whose senders may be forged, is looked at BURST at once and RATE in a
    second."""
    global events
    stranger = Stranger()
    message = stranger.handshake.initiation()
    before, count = dropped("rx-initiation-unknown-peer"), 400
    begin = time.monotonic()
    for _ in range(count):
        stranger.socket.send(message)
    await_refusals("rx-initiation-unknown-peer", before + count)
    took = time.monotonic() - begin
    daemon.socket.setblocking(False)
    told = 0
    try:
        while next(events):
            told += 1
    except BlockingIOError:
        pass
    holds(f"{told} events in {took:.2f} s", BURST // 2 <= told <= BURST + RATE * took + 1)
    daemon.socket.setblocking(True)
    daemon.socket.settimeout(10)
    events = daemon.events()


def forgotten():
    """What was kept for longer than a sender waits is not answered."""
    stranger, other = (Stranger(f"10.1.0.{n}") for n in (201, 202))
    stranger.begin()
    told_of(stranger)
    # The time itself is what counts.
    time.sleep(KEPT_FOR + 0.1)
    other.begin()
    told_of(other)
    add(stranger, other)
    other.finish()
    holds("no answer to an old initiation", not stranger.is_answered())


def down_and_off():
    """An interface that goes down, or stops announcing, forgets."""
    first, second, third = (Stranger(f"10.1.0.{n}") for n in (211, 212, 213))
    first.begin()
    told_of(first)
    check.run("ip -n near link set wg0 down")
    check.run("ip -n near link set wg0 up")
    second.begin()
    told_of(second)
    announce(0)
    announce(1)
    third.begin()
    told_of(third)
    add(first, second, third)
    third.finish()
    holds("no answers to what was forgotten", not first.is_answered() and not second.is_answered())
    announce(0)
    config.set(name("wg0"), u32(Device.FLAGS, Device.REPLACE_PEERS))


check.main(off_at_first, just_in_time, forged, many, limited, forgotten, down_and_off)
