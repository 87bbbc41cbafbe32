# SPDX-License-Identifier: GPL-2.0
"""Initiations and responses."""

import struct
import time

from wgtest import check, noise
from wgtest.check import at_once, equal, holds, run
from wgtest.genl import Device, attr, name
from wgtest.noise import Handshake, Session, add_macs, garbled, tai64n

from .ends import (LOCAL, LOW, OTHER, P, PSK, Q, REMOTE, WG0, accepted, client, drops, far, fresh, into_tunnel,
                  other_port, dropped, risen)


def initiations():
    fresh()

    def ask(secret=REMOTE, psk=PSK, **more):
        return Handshake(secret, WG0, psk).initiation(**more)
    good = ask()
    # row C1
    dropped("wrong mac1", "rx-bad-mac1", good[:116] + garbled(good[116:132]) + good[132:])
    dropped("mac1 for somebody else", "rx-bad-mac1", add_macs(good[:116], Q))
    dropped("mac1 of zeros", "rx-bad-mac1", good[:116] + bytes(32))
    for place in (4, 8, 40, 88, 115):
        dropped(f"byte {place} turned", "rx-bad-mac1", good[:place] + bytes([good[place] ^ 0x80]) + good[place + 1:])
    dropped("static key that does not decrypt", "rx-initiation-bad-static", ask(spoil="static"))
    # row H3
    dropped("ephemeral key of low order", "low-order-key", ask(ephemeral=LOW))
    dropped("ephemeral key 1", "low-order-key", ask(ephemeral=b"\1" + bytes(31)))
    dropped("other ephemeral key", "rx-initiation-bad-static", ask(ephemeral=P))
    dropped("unknown static key", "rx-initiation-unknown-peer", ask(secret=b"u" * 32))
    dropped("our own static key", "rx-initiation-unknown-peer", ask(secret=LOCAL))
    dropped("peer of low order", "low-order-key", ask(static=LOW))
    dropped("static key of somebody else", "rx-initiation-bad-timestamp", ask(secret=OTHER, static=P))
    dropped("timestamp that does not decrypt", "rx-initiation-bad-timestamp", ask(spoil="timestamp"))

    now = time.time_ns()
    one = ask(timestamp=tai64n(now))
    accepted("right", one, 148, [92])
    time.sleep(0.1)
    # rows H6 H12
    dropped("the same again", "rx-initiation-replayed", one)
    dropped("the same time", "rx-initiation-replayed", ask(timestamp=tai64n(now)))
    dropped("an earlier time", "rx-initiation-replayed", ask(timestamp=tai64n(now - 1)))
    dropped("time zero", "rx-initiation-replayed", ask(timestamp=bytes(12)))
    dropped("from elsewhere", "rx-initiation-replayed", one, source=other_port)
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
    dropped("an earlier time after down and up", "rx-initiation-replayed", ask(timestamp=tai64n(now + 2)))

    time.sleep(0.1)
    before = drops()
    both = [ask(timestamp=tai64n(now + n)) for n in (10, 20)]
    with at_once():
        for message in both:
            far.send(message)
    # rows K9 H12
    equal("two at once: answers", [len(answer) for answer in far.receive()], [92])
    if not check.ON_C:
        equal("two at once: counters", risen(before), {"rx-initiation-flood": 1})
    # What was dropped as too early is no replay later.
    accepted("the second one again", both[1], 148, [92])


def no_identity():
    """Without a private key all handshakes are dropped, those whose mac1 is of a key of zeros
    included."""
    fresh(far.address)
    good = Handshake(REMOTE, WG0, PSK).initiation()
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, bytes(32)))
    # rows H2 SK3
    dropped("mac1 of the old key", "rx-bad-mac1", good)
    forged = good[:116] + noise.blake2s(good[:116], bytes(32), 16) + bytes(16)
    dropped("mac1 of no key", "rx-bad-mac1", forged)
    response = struct.pack("<III", 2, 1, 2) + bytes(48)
    dropped("a response", "rx-bad-mac1", response + noise.blake2s(response, bytes(32), 16) + bytes(16))
    before = drops()
    into_tunnel()
    equal("nothing is sent", far.receive(), [])
    if not check.ON_C:
        equal("a packet to send", risen(before), {"no-identity": 1})
    # It goes as soon as there is a key. Their initiation replaces ours.
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, LOCAL))
    equal("with the key again", [len(message) for message in far.receive()], [148])
    # rows H1 H7 K1
    accepted("their handshake", good, 148, [92])


def responses():
    """The module begins."""
    fresh(far.address)
    asked = far.asked()
    answer, session = asked.response()
    dropped("wrong mac1", "rx-bad-mac1", garbled(answer[:76]) + answer[76:])
    dropped("unknown index", "rx-response-unknown-index", asked_again(asked).response(index=asked.sender ^ 1)[0])
    dropped("does not decrypt", "rx-response-bad", asked_again(asked).response(spoil=True)[0])
    dropped("wrong PSK", "rx-response-bad", asked_again(asked, psk=bytes(32)).response()[0])
    dropped("ephemeral key of low order", "low-order-key", asked_again(asked).response(ephemeral=LOW)[0])
    dropped("other ephemeral key", "rx-response-bad", asked_again(asked).response(ephemeral=P)[0])
    dropped("data for the index of a handshake", "rx-data-unknown-index",
            Session(0, asked.sender, bytes(32), b"").data())
    # rows H8 S7
    got = accepted("right", answer, 92, [64])
    if got:
        counter, packet = session.open(got[0])
        equal("the waiting packet", (counter, packet[:20]), (0, packet[:20]))
        holds("it is IPv4", packet[0] >> 4 == 4)
    dropped("the same again", "rx-response-unknown-index", answer)
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
    dropped("answer to the first try", "rx-response-unknown-index", old.response()[0])
    mixed = asked_again(old).response(index=new.sender)[0]
    dropped("answer to the first try under the index of the second", "rx-response-bad", mixed)
    accepted("answer to the second try", new.response()[0], 92, [64])

    # Their initiation while ours is pending: ours is given up.
    fresh(far.address)
    asked = far.asked()
    session = far.connect(confirm=False)
    dropped("answer to what was given up", "rx-response-unknown-index", asked.response()[0])
    accepted("their session", session.data(), 32, [64])


def asked_again(asked, psk=PSK):
    """A handshake in the state in which this one was before it was answered."""
    handshake = Handshake(REMOTE, WG0, psk)
    handshake.accept_initiation(asked.asked)
    return handshake
