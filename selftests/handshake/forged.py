# SPDX-License-Identifier: GPL-2.0
"""Forged initiations: each names another idle peer, whose private key the sender does not have."""

import socket
import struct
import time

from wgtest.check import equal, eventually, holds, main, note
from wgtest.genl import Client, Device, attr, merge, name, nth_key, peer, peers, u16
from wgtest.machine import memory, drop_counts
from wgtest.noise import INITIATION, Symmetric, add_macs, dh, public

PEERS = 10000
# As many as fit into a netlink message.
CHUNK = 200
# Fewer than what counts as load, and more cookies asked for.
BURST = 100
PORT = 51820
LOCAL = bytes([8]) + bytes([1]) * 30 + bytes([64])
REASON = "rx-initiation-bad-timestamp"

client = Client()


def forged(number, ephemeral, shared):
    """An initiation in the name of a peer; only what the true one shares with us is made up."""
    state = Symmetric(public(LOCAL))
    point = public(ephemeral)
    state.mix_point(point)
    box = state.seal(state.mix_dh(shared), nth_key(number))
    stamp = state.seal(state.mix_dh(b"?" * 32), bytes(12))
    return add_macs(struct.pack("<II", INITIATION, number) + point + box + stamp, public(LOCAL))


def dropped():
    """How many were dropped for what only the true peer could have made; nothing else may have been
    dropped."""
    counters = drop_counts()
    count = counters.pop(REASON)
    equal("other drops", {reason: n for reason, n in counters.items() if n}, {})
    return count


def send_all(out, messages):
    """Sends them, no more at once than leave the interface without load; the seconds that took."""
    begin, done = time.monotonic(), dropped()
    for first in range(0, len(messages), BURST):
        burst = messages[first:first + BURST]
        for message in burst:
            out.sendto(message, ("127.0.0.1", PORT))
        done += len(burst)
        eventually(20, lambda expected=done: dropped() >= expected)
    equal("dropped", dropped(), done)
    return time.monotonic() - begin


def everything():
    """What a dump shows, in order."""
    return merge(client.get_messages(name("wg0")))


def idle_peers_cost_nothing_more():
    client.set(name("wg0"), u16(Device.LISTEN_PORT, PORT), attr(Device.PRIVATE_KEY, LOCAL))
    for first in range(0, PEERS, CHUNK):
        client.set(name("wg0"), peers(*(peer(nth_key(n)) for n in range(first, first + CHUNK))))
    ephemeral = b"e" * 32
    shared = dh(ephemeral, public(LOCAL))
    messages = [forged(n, ephemeral, shared) for n in range(PEERS)]
    shown = everything()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        # What the first packets ever cost, once.
        send_all(out, [forged(0, ephemeral, shared)] * BURST)
        before = memory("Percpu")
        first = send_all(out, messages)
        grown = memory("Percpu") - before
        second = send_all(out, messages)
    note(f"{PEERS} forged initiations: {first:.2f} s, {grown:.0f} KiB; the same again: {second:.2f} s")
    # Less than any allocation for each would be.
    holds(f"memory has grown by {grown:.0f} KiB", grown < PEERS * 32 / 1024)
    # The first time takes two products of keys each, the second time one.
    holds(f"once more they took {second:.2f} s after {first:.2f} s", second < first * 0.8)
    equal("what a dump shows", everything() == shown, True)


main(idle_peers_cost_nothing_more)
