# SPDX-License-Identifier: GPL-2.0
"""Ten thousand peers of an interface in "near" under churn, and programs that listen, or do not.

What listeners receive is compared with what was done: the number of an event says which request
made it.
"""

import errno
import random
import select
import socket
import time

from wgtest.check import equal, holds, main, note, run
from wgtest.genl import Client, Device, Peer, attr, name, namespace, nth_key, peer, peers, u16, u32
from wgtest.machine import memory
from wgtest.noise import Handshake, public

import netlink

PEERS = 10000
# As many as fit into a message.
CHUNK = 200
ROUNDS = 60
# KiB at most: for a peer without allowed IPs, and for a prefix of each family.
PEER_KIB, PREFIXES_KIB = 2.3, 0.5
PORT = 51820
LOCAL = bytes([8]) + bytes([1]) * 30 + bytes([64])
# Fewer than the 4096 events that may come at once.
BURST = 4000
SESSIONS = 50
DEAF = 8
BUFFER = 256 << 20
SO_RCVBUFFORCE = 33

config = Client()
diag = netlink.Client()
chance = random.Random(20)
# Memory in use before there were peers, with them, and with their prefixes.
taken = []


def prefixes(number):
    return [f"10.{number >> 8}.{number & 255}.0/24", f"fd00:0:{number:x}::/64"]


def chunks(numbers):
    numbers = list(numbers)
    return [numbers[first:first + CHUNK] for first in range(0, len(numbers), CHUNK)]


def listener(group, room=BUFFER):
    client = netlink.Client()
    client.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
    client.listen(group)
    return client


def is_waiting(client, seconds=0.0):
    return bool(select.select([client.socket], [], [], seconds)[0])


def read(client, most=None):
    """What has come: events, None where the kernel says that some were lost here."""
    found = []
    events = client.events()
    while (most is None or len(found) < most) and is_waiting(client):
        found.append(next(events)[1])
    return found


def add(numbers, ifname="wg0", ips=lambda number: None):
    for chunk in chunks(numbers):
        config.set(name(ifname), peers(*(peer(nth_key(n), ips=ips(n)) for n in chunk)))


def peers_and_prefixes_are_added():
    config.set(name("wg0"), u16(Device.LISTEN_PORT, PORT), attr(Device.PRIVATE_KEY, LOCAL))
    taken.append(memory("Percpu", "VmallocUsed"))
    for ips in lambda number: None, prefixes:
        add(range(PEERS), ips=ips)
        taken.append(memory("Percpu", "VmallocUsed"))
    equal("peers", len(config.get("wg0")["peers"]), PEERS)


def idle_peers_are_small():
    each, more = ((after - before) / PEERS for before, after in zip(taken, taken[1:]))
    note(f"an idle peer takes {each:.2f} KiB, its prefixes {more:.2f} KiB")
    holds(f"an idle peer takes {each:.2f} KiB", 1 < each <= PEER_KIB)
    holds(f"the prefixes of a peer take {more:.2f} KiB", 0.1 < more <= PREFIXES_KIB)


class Truth:
    """What was done: the events of each request, which have numbers that follow each other."""

    def __init__(self):
        self.requests, self.count = [], 0
        self.members = list(range(PEERS))
        self.next = PEERS

    def done(self, event, keys):
        self.requests += [(event, set(keys))] * len(keys)
        self.count += len(keys)

    def step(self):
        """Adds, changes or removes some."""
        kind = chance.choice(("peer-added", "peer-changed", "peer-removed", "name"))
        chance.shuffle(self.members)
        if kind == "peer-added":
            numbers = range(self.next, self.next + CHUNK)
            self.next += CHUNK
            self.members += numbers
            config.set(name("wg0"), peers(*(peer(nth_key(n)) for n in numbers)))
        elif kind == "peer-changed":
            numbers = self.members[:CHUNK]
            config.set(name("wg0"), peers(*(peer(nth_key(n), keepalive=0) for n in numbers)))
        elif kind == "peer-removed":
            numbers, self.members = self.members[:CHUNK], self.members[CHUNK:]
            config.set(name("wg0"), peers(*(peer(nth_key(n), flags=Peer.REMOVE_ME) for n in numbers)))
        else:
            numbers, kind = self.members[:1], "peer-changed"
            diag.set(ifname="wg0", peer={"public-key": nth_key(numbers[0]), "name": f"number {numbers[0]}"})
        self.done(kind, [nth_key(n) for n in numbers])

    def clear(self):
        """Removes all at once, faster than events may come, and adds one a while later."""
        config.set(name("wg0"), u32(Device.FLAGS, Device.REPLACE_PEERS))
        self.done("peer-removed", [nth_key(n) for n in self.members])
        # Half a second brings some 500 events, the last of which says what was left out.
        time.sleep(0.5)
        config.set(name("wg0"), peers(peer(nth_key(self.next))))
        self.done("peer-added", [nth_key(self.next)])


def judge(what, events, truth, first, may_lose=False):
    """Each event is what was done at its number; what is not there is announced or, where the
    listener was slow, to be seen by the numbers. Returns how many came and were left out."""
    number, came, left_out, lost, was_told = first, 0, 0, 0, False
    for event in events:
        if event is None:
            was_told = True
            continue
        gap = event["sequence"] - number - 1
        if gap != event.get("left-out", 0):
            holds(f"{what}: {gap} events are missing, {event.get('left-out', 0)} announced", may_lose and was_told)
            lost += gap - event.get("left-out", 0)
        number, came, left_out = event["sequence"], came + 1, left_out + event.get("left-out", 0)
        wanted, keys = truth.requests[number - first - 1]
        if event["event"] != wanted or event["peer"]["public-key"] not in keys:
            equal(f"{what}: event {number}", event, wanted)
            break
    equal(f"{what}: all that were done", came + left_out + lost, truth.count)
    note(f"{what}: {truth.count} events, {came} received, {left_out} left out, {lost} lost here")
    return came, left_out, lost


def nothing_is_lost_in_silence():
    fast, slow, deaf = listener("config"), listener("config", 1 << 14), listener("config", 1)
    config.set(name("wg0"), peers(peer(nth_key(0), keepalive=0)))
    first = read(fast)[-1]["sequence"]
    for client in slow, deaf:
        read(client)
    truth, seen = Truth(), []
    for _ in range(ROUNDS):
        truth.step()
        seen += read(slow, 20)
    truth.clear()
    events = read(fast)
    holds("the first listener is never told that it lost some", None not in events)
    _, left_out, _ = judge("a listener with room", events, truth, first)
    holds("none were left out, though all were removed at once", left_out)
    # What comes last shows to those that were slow what is missing before.
    seen, unread = seen + read(slow), read(deaf)
    config.set(name("wg0"), peers(peer(nth_key(0))))
    truth.done("peer-added", [nth_key(0)])
    for what, client, found in ("a slow listener", slow, seen), ("a deaf listener", deaf, unread):
        _, _, lost = judge(what, found + read(client), truth, first, may_lose=True)
        holds(f"{what} has lost none: it was not slow", lost > 0)


class Roamer:
    """A peer in "far" that has a session, and sends from another place then."""

    def __init__(self, number):
        self.secret = bytes([8]) + number.to_bytes(4, "big") + bytes([3]) * 26 + bytes([64])
        self.key = public(self.secret)
        with namespace("far"):
            self.places = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for place in self.places:
            place.settimeout(20)
            place.connect(("10.0.0.1", PORT))

    def begin(self):
        handshake = Handshake(self.secret, public(LOCAL))
        self.places[0].send(handshake.initiation())
        self.session = handshake.accept_response(self.places[0].recv(2000))
        self.places[0].send(self.session.data())

    def move(self):
        self.places[1].send(self.session.data())

    def port(self, number):
        return self.places[number].getsockname()[1]


def sessions_are_told_meanwhile():
    add(range(PEERS))
    roamers = [Roamer(number) for number in range(SESSIONS)]
    config.set(name("wg0"), peers(*(peer(roamer.key) for roamer in roamers)))
    told, deaf, truth = listener("peers"), listener("peers", 1), Truth()
    both = listener("config", 1)
    for act in "begin", "move":
        for roamer in roamers:
            getattr(roamer, act)()
            if roamer is roamers[SESSIONS // 2]:
                truth.step()
    found, events = [], told.events()
    while len(found) < 2 * SESSIONS and is_waiting(told, 20):
        found.append(next(events)[1])
    ends = [(event["event"], event["peer"]["public-key"], event["peer"].get("old-endpoint", {}).get("port"),
             event["peer"]["endpoint"]["port"]) for event in found]
    equal("sessions", sorted(end for end in ends if end[0] == "session-up"),
          sorted(("session-up", roamer.key, None, roamer.port(0)) for roamer in roamers))
    equal("moves", sorted(end for end in ends if end[0] == "endpoint-changed"),
          sorted(("endpoint-changed", roamer.key, roamer.port(0), roamer.port(1)) for roamer in roamers))
    first = found[0]["sequence"]
    equal("numbers", [event["sequence"] for event in found], list(range(first, first + 2 * SESSIONS)))
    equal("what was left out", [event for event in found if "left-out" in event], [])
    for client in deaf, both:
        client.socket.close()


def burst(number):
    """Seconds that it takes to add BURST peers to a new interface."""
    run(f"ip link add wg{number} type wireguard")
    begin = time.monotonic()
    add(range(BURST), f"wg{number}")
    return time.monotonic() - begin


def deaf_listeners_delay_nobody():
    reader = listener("config")
    alone, beside = [], []
    for number in range(1, 7):
        crowd = [listener("config", 1) for _ in range(DEAF if number % 2 == 0 else 0)]
        (beside if crowd else alone).append(burst(number))
        numbers = [event["sequence"] for event in read(reader) if event["ifname"] == f"wg{number}"]
        equal("what the one that reads receives", numbers, list(range(1, BURST + 1)))
        for client in crowd:
            try:
                while True:
                    client.socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except OSError as error:
                equal("what a deaf listener is told", errno.errorcode[error.errno], "ENOBUFS")
            client.socket.close()
        run(f"ip link del wg{number}")
    note(f"{BURST} peers: {min(alone):.2f} s, beside {DEAF} that do not read {min(beside):.2f} s")
    holds(f"it took {min(beside):.2f} s and not {min(alone):.2f} s", min(beside) < min(alone) * 1.5 + 0.1)


run("ip link add wg0 type wireguard")
run("ip link set wg0 up")
main(peers_and_prefixes_are_added, idle_peers_are_small, nothing_is_lost_in_silence, sessions_are_told_meanwhile,
     deaf_listeners_delay_nobody)
