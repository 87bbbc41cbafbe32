# SPDX-License-Identifier: GPL-2.0
"""Floods a thousand peers of a's wg0 from "c" while a hog sits on CPU 1, and watches memory and
what comes to "b"."""

import os
import signal
import socket
import sys
import time

from wgtest import check
from wgtest.genl import Client, Device, attr, name, namespace, peer, peers, sockaddr
from wgtest.machine import hog
from wgtest.receiver import Receiver

PATIENCE = float(sys.argv.pop())
PEERS = 1000
# As many as fit into a message.
CHUNK = 250
PORT = 5000
SIZE = 1300
SECONDS = 20


def address(number):
    return f"10.8.{number // 250}.{number % 250 + 1}"


def connect():
    """As many interfaces of b as peers of a; b begins the handshakes."""
    ours, theirs = Client("a"), Client("b")
    a_key = ours.get("wg0")["public"]
    lines = []
    for number in range(PEERS):
        lines += [f"link add wg{number} type wireguard", f"link set wg{number} up",
                  f"addr add {address(number)}/32 dev wg{number}"]
    check.run("ip -n b -batch -", input="\n".join(lines) + "\n")
    elements = []
    for number in range(PEERS):
        theirs.set(name(f"wg{number}"), attr(Device.PRIVATE_KEY, os.urandom(32)))
        key = theirs.get(f"wg{number}")["public"]
        elements.append(peer(key, ips=[f"{address(number)}/32"]))
    for first in range(0, PEERS, CHUNK):
        ours.set(name("wg0"), peers(*elements[first:first + CHUNK]))
    for number in range(PEERS):
        theirs.set(name(f"wg{number}"), peers(peer(a_key, endpoint=sockaddr("10.0.0.1", 51821), keepalive=25,
                                                   ips=["0.0.0.0/0"])))

    def shaken():
        return sum(other["handshake"] != (0, 0) for other in ours.get("wg0")["peers"])

    check.eventually(120 * PATIENCE, lambda: shaken() == PEERS)
    check.equal("peers with a session", shaken(), PEERS)


def available():
    """kB of memory."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))


def waiting():
    """Bytes that wait on a's interface, and how many may."""
    with open("/sys/kernel/debug/wireguard/wg0/waiting", encoding="ascii") as file:
        words = file.read().split()
    return int(words[0]), int(words[2])


def flood(outside, inside, seconds):
    """Sends to all peers in turn. Returns how many were sent, how many came, and the extremes of
    memory."""
    sent = came = most = 0
    least, end = available(), time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(PEERS):
            # A second one right behind the first, as what is left to a worker are streams.
            for _ in range(2):
                outside.sendto(bytes(SIZE), (address(number), PORT))
            sent += 2
        came += inside.count()
        least, most = min(least, available()), max(most, waiting()[0])
    return sent, came, least, most


def starved():
    os.sched_setaffinity(0, {0})
    connect()
    inside, pig = Receiver("b", "0.0.0.0", PORT), hog(1)
    with namespace("c"):
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    before = available()
    try:
        # Without the hog it works.
        sent, came, *_ = flood(outside, inside, 1)
        check.holds("something comes without a hog", came)
        os.kill(pig, signal.SIGCONT)
        sent, came, least, most = flood(outside, inside, SECONDS * PATIENCE)
        check.note(f"beside a hog: {came} of {sent} came; {before} kB before, {least} kB at least, "
                   f"{most} B of {waiting()[1]} B waited at most")
        check.holds("half of the packets come beside a hog", came > sent / 2)
        check.holds("half of the memory is left", least > before / 2)
        check.holds("no more waits than may", most <= waiting()[1])
        check.eventually(10 * PATIENCE, lambda: waiting()[0] == 0)
        check.equal("what still waits", waiting()[0], 0)
    finally:
        os.kill(pig, signal.SIGKILL)
        os.waitpid(pig, 0)


check.main(starved)
