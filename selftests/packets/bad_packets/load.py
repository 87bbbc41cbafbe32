# SPDX-License-Identifier: GPL-2.0
"""Cookies, the module's own and those that it gives under load."""

import os
import struct
import time

from wgtest import check, noise
from wgtest.check import at_once, equal, holds, run
from wgtest.genl import Device, attr, name, peer, peers, u16, u32
from wgtest.noise import Handshake, add_macs, garbled, public

from .ends import (P, PORT, PSK, Q, REMOTE, SECOND, WG0, Far, accepted, client, drops, far, fresh, into_tunnel, link, nft,
                  other_port, dropped, risen)


def cookies():
    """The module's own cookies: what it accepts, and that it uses them."""
    fresh(far.address)
    dropped("no such index", "rx-cookie-unknown-index", noise.cookie_reply(1, b"c" * 16, P, bytes(148)))
    asked = far.asked()
    sent = asked.asked
    reply = noise.cookie_reply(asked.sender, b"c" * 16, P, sent)
    # row F3
    dropped("does not decrypt", "rx-cookie-bad", garbled(reply))
    dropped("other nonce", "rx-cookie-bad", reply[:8] + bytes(24) + reply[32:])
    dropped("of somebody else", "rx-cookie-bad", noise.cookie_reply(asked.sender, b"c" * 16, Q, sent))
    dropped("for another message", "rx-cookie-bad", noise.cookie_reply(asked.sender, b"c" * 16, P, bytes(148)))
    dropped("wrong index", "rx-cookie-unknown-index", noise.cookie_reply(asked.sender ^ 1, b"c" * 16, P, sent))
    equal("no cookie, no mac2", sent[-16:], bytes(16))
    # It is accepted from anywhere, moves nothing, and starts nothing.
    # row C6
    dropped("right", None, reply, source=other_port)
    dropped("a second one", "rx-cookie-unexpected", reply)
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
    if not check.ON_C:
        equal("counters", counted, {"rx-cookie-sent": 601})
    index, cookie = noise.open_cookie(answers[0], WG0, first)
    equal("index in the reply", index, ask.index)

    def invalid():
        return run("dmesg").count("wg0: Invalid MAC of handshake, dropping packet from 10.0.0.2:")

    def asking(count, **more):
        return [Handshake(REMOTE, WG0, PSK).initiation(**more) for _ in range(count)]
    # A burst of five per address passes; of those, one per 20 ms.
    before = invalid()
    answers, counted = overload(*asking(10, cookie=cookie))
    # row M9: what comes too fast is logged like this.
    equal("called invalid", invalid() - before, 5)
    # rows C4 K15
    equal("ten with mac2", [len(answer) for answer in answers], [92])
    if not check.ON_C:
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
    if not check.ON_C:
        equal("its counter", risen(before), {"rx-cookie-sent": 1})
    overload()
    wrong = asking(1)[0]
    dropped("wrong mac1 is not answered", "rx-bad-mac1", wrong[:116] + garbled(wrong[116:132]) + bytes(16))

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
    if not check.ON_C:
        # rows K13 X5
        equal("a full queue", risen(before), {"rx-cookie-sent": 4096, "rx-handshake-queue-full": 9})
    noisy.receive(1.5)
    noisy.socket.close()
    far.connect()


def known():
    """A full queue has places left for messages from where a peer is."""
    fresh()
    far.connect()
    # The endpoint of peer P is where it spoke last.
    stranger = Far()
    noisy = Far()
    flood = junk()
    time.sleep(3)

    def full(sender):
        """Whether a message is answered that comes when the queue is full, with a cookie."""
        time.sleep(3)
        with at_once():
            for _ in range(4096 + 9):
                noisy.send(flood)
            sender.send(Handshake(REMOTE, WG0, PSK).initiation())
        answers = [len(answer) for answer in sender.receive(3)]
        noisy.receive(0)
        return answers
    equal("a message of a stranger, with the queue full", full(stranger), [])
    # row K13
    equal("a message of a peer, with the queue full", full(far), [] if check.ON_C else [64])
    # Not any more where it was.
    stranger.connect()
    equal("a message from where the peer was", full(far), [])
    equal("a message from where it is now", full(stranger), [] if check.ON_C else [64])
    for end in (noisy, stranger):
        end.socket.close()
    time.sleep(2)


def other_interface():
    """Load and limits are a matter of one interface here, and of the module or namespace in the C
    module."""
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
    equal("beside an interface under load", [len(answer) for answer in second.receive()], [64 if check.ON_C else 92])
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
    if not check.ON_C:
        equal("an address that has used up its limit at the other interface", [len(answer) for answer in answers[1]], [92])
        equal("its counter", drops("wg1").get("rx-rate-limited", 0), before.get("rx-rate-limited", 0))
    run("ip -n near link del wg1")
    for end in (noisy, second, noisy2):
        end.socket.close()
    # Nothing after this is to be under load.
    time.sleep(2)
