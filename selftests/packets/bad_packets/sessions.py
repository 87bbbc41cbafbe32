# SPDX-License-Identifier: GPL-2.0
"""Data messages: which sessions they belong to, and what they do to them."""

import time
from pathlib import Path

from wgtest import check
from wgtest.check import at_once, equal, holds
from wgtest.genl import Device, attr, name, peer, peers
from wgtest.noise import Session, garbled
from wgtest.packets import ip4

from .ends import (LOCAL, OTHER, P, Q, accepted, client, drops, far, fresh, into_tunnel, other_port, received, dropped,
                  risen)

REJECT_AFTER_MESSAGES = 2**64 - 8128 - 2
WINDOW = 8128


def data():
    fresh()
    session = far.connect()
    dropped("unknown index", "rx-data-unknown-index",
            Session(0, session.remote ^ 1, session.sending, b"").data(b"", counter=1))
    good = session.data(counter=10)
    dropped("wrong tag", "rx-data-bad", garbled(good))
    dropped("wrong counter", "rx-data-bad", good[:8] + b"\x0b" + good[9:])
    dropped("wrong key", "rx-data-bad", Session(0, session.remote, bytes(32), b"").data())
    dropped("cut short", "rx-data-bad", session.data(bytes(64), counter=11)[:-16])
    dropped("made longer", "rx-data-bad", session.data(bytes(64), counter=11) + bytes(16))
    dropped("nothing but zeros", "rx-data-bad", good[:16] + bytes(16))
    dropped("both directions' keys swapped", "rx-data-bad", Session(0, session.remote, session.receiving, b"").data())
    # rows R1 E6
    accepted("keepalive", good, 32)
    # row R3
    dropped("the same again", "rx-data-replayed", good)
    dropped("the same from elsewhere", "rx-data-replayed", good, source=other_port)
    accepted("an earlier one", session.data(counter=9), 32)
    accepted("not padded", session.data(b"", counter=12, pad=False), 32)

    top = 20000
    accepted("a jump", session.data(counter=top), 32)
    dropped("older than the window", "rx-data-replayed", session.data(counter=top - WINDOW - 1))
    # rows R2 K2
    accepted("the oldest in the window", session.data(counter=top - WINDOW), 32)
    dropped("that again", "rx-data-replayed", session.data(counter=top - WINDOW))
    dropped("0 after the window has moved on", "rx-data-replayed", session.data(counter=0))
    for counter in (top - 64, top - 63, top - 1, top + 1, top + 64, top + 63):
        accepted(f"{counter - top} from the top", session.data(counter=counter), 32)
        dropped(f"{counter - top} again", "rx-data-replayed", session.data(counter=counter))

    # At the end of the counters. One that is beyond it does not end the session, the last one does.
    dropped("largest counter", "rx-data-counter-limit", session.data(counter=2**64 - 1))
    # row S6
    dropped("limit", "rx-data-counter-limit", session.data(counter=REJECT_AFTER_MESSAGES))
    accepted("last before the limit", session.data(counter=REJECT_AFTER_MESSAGES - 1), 32)
    dropped("after the last", "rx-data-counter-limit", session.data(counter=REJECT_AFTER_MESSAGES - 2))
    dropped("the session is over", "rx-data-expired", session.data(counter=REJECT_AFTER_MESSAGES - 3))
    far.connect()


def crowd():
    """More messages than there is room for until the receiving thread runs."""
    if check.ON_C:
        raise check.Skip("the C module's queue of a peer has another bound")
    threaded = Path("/run/near-stats/class/net/wg0/threaded")
    fresh()
    session = far.connect()
    before, received_before = drops(), received()
    messages = [session.data(counter=counter) for counter in range(1, 1 + 4096 + 9)]
    # By a thread, which has its turn when all of them have come.
    threaded.write_text("1", encoding="ascii")
    try:
        with at_once():
            for message in messages:
                far.send(message)
        time.sleep(2)
    finally:
        threaded.write_text("0", encoding="ascii")
    # rows X6 D15
    equal("a full queue", risen(before), {"rx-data-queue-full": 9})
    equal("received of it", received() - received_before, 4096 * 32)


def sessions():
    """Slots: what counts before confirmation, after the next handshake, after the one after
    that."""
    fresh()
    first = far.connect(confirm=False)
    # No session is ours to send by, and a handshake was sent just now: the packet waits
    # (rows H4 S2 S5).
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
    dropped("the one before the previous", "rx-data-unknown-index", first.data())
    time.sleep(0.1)
    fourth = far.connect(confirm=False)
    # row S2
    dropped("a session never confirmed, after the next", "rx-data-unknown-index", third.data())
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
    # row P11: five seconds after our own message a handshake may begin, but nothing asks for
    # one. A SET of the peer does.
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


def roaming():
    """Only what is authentic moves the endpoint; and that does, whatever is in the packet."""
    fresh()
    session = far.connect()
    here, there = (f"{address}:{port}" for address, port in (far.address, other_port.address))

    def endpoint():
        return client.get("wg0")["peers"][0]["endpoint"]
    equal("by an initiation", endpoint(), here)
    dropped("wrong tag", "rx-data-bad", garbled(session.data()), source=other_port)
    equal("stays", endpoint(), here)
    before = drops()
    other_port.send(session.data(ip4("10.9.0.3", "10.9.0.1", b"")))
    equal("no answer", other_port.receive(), [])
    if not check.ON_C:
        equal("a source not allowed", risen(before), {"rx-inner-bad-source": 1})
    # row E2
    equal("moves all the same", endpoint(), there)
    into_tunnel()
    equal("packets go there", [len(answer) for answer in other_port.receive()], [64])
    accepted("keepalive", session.data(), 32)
    equal("and back", endpoint(), here)


def ages():
    """Sessions are too old after 180 seconds and forgotten after 540."""
    fresh()
    session = far.connect()
    time.sleep(178)
    accepted("178 seconds", session.data(), 32)
    time.sleep(3)
    # row K3
    dropped("181 seconds", "rx-data-expired", session.data())
    dropped("still", "rx-data-expired", session.data())
    time.sleep(355)
    dropped("536 seconds", "rx-data-expired", session.data())
    # The kernel rounds timers of that length up to steps of 131 seconds.
    time.sleep(6 + 132)
    dropped("674 seconds", "rx-data-unknown-index", session.data())
