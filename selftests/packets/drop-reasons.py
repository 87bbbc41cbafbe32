# SPDX-License-Identifier: GPL-2.0
"""What the tracepoints skb:kfree_skb and skb:consume_skb show of the module, beside the counters in
debugfs."""

import atexit
import os
import re
import time
from collections import Counter
from pathlib import Path

from wgtest import check, noise
from wgtest.check import equal, holds, run
from wgtest.noise import Handshake, Session, garbled
from wgtest.packets import ip4, udp

from bad_packets.ends import PSK, REMOTE, WG0, P, Delivered, accepted, drops, far, fresh, into_tunnel, risen
from bad_packets.formats import shapes
from bad_packets.handshakes import initiations, responses
from bad_packets.inner import inner, sending
from bad_packets.load import load
from bad_packets.sessions import crowd, data, sessions, waiting

# What the stack calls the driver's reasons (rust/driver/drops.rs); all others it has no name for.
NAMES = {
    "rx-bad-length": "DEV_HDR", "rx-bad-type": "DEV_HDR",
    "rx-handshake-queue-full": "FULL_RING", "rx-data-queue-full": "FULL_RING",
    "tx-staged-overflow": "FULL_RING", "tx-queue-full": "FULL_RING",
    "rx-rng-not-ready": "DEV_READY", "no-identity": "DEV_READY", "gone": "DEV_READY",
    "rx-inner-bad-header": "IP_INHDR", "rx-inner-bad-length": "PKT_TOO_SMALL",
    "tx-bad-protocol": "UNHANDLED_PROTO", "tx-no-peer": "NO_TX_TARGET", "tx-no-endpoint": "NO_TX_TARGET",
    "tx-gave-up": "QUEUE_PURGE", "tx-no-route": "IP_OUTNOROUTES",
}

EVENT = re.compile(r"(kfree_skb|consume_skb): .*location=(\S+)\+0x\S+ \[wireguard\](?: reason: (\S+))?")


class Trace:
    """The two events, as far as they come from the module."""

    def __init__(self):
        self.folder = Path("/sys/kernel/tracing/instances/drop-reasons")
        self.folder.mkdir()
        # Most events of a machine are not ours, and the longest step makes some ten thousand.
        self._write("buffer_size_kb", "16384")
        line, = (line.split() for line in Path("/proc/modules").read_text(encoding="ascii").splitlines()
                 if line.startswith("wireguard "))
        start = int(line[5], 16)
        for event in ("kfree_skb", "consume_skb"):
            self._write(f"events/skb/{event}/filter", f"location >= {start:#x} && location < {start + int(line[1]):#x}")
            self._write(f"events/skb/{event}/enable", "1")

    def _write(self, name, text):
        (self.folder / name).write_text(text, encoding="ascii")

    def clear(self):
        self._write("trace", "")

    def events(self):
        """Lists of (function, reason) of what was dropped, and of functions that consumed."""
        dropped, consumed = [], []
        for line in (self.folder / "trace").read_text(encoding="ascii").splitlines():
            found = EVENT.search(line)
            if found and found[1] == "kfree_skb":
                dropped.append((found[2], found[3]))
            elif found:
                consumed.append(found[2])
        lost = sum(int(line.partition(":")[2]) for cpu in self.folder.glob("per_cpu/cpu*/stats")
                   for line in cpu.read_text(encoding="ascii").splitlines() if line.startswith(("overrun", "dropped")))
        equal("lost events", lost, 0)
        return dropped, consumed

    def close(self):
        for event in ("kfree_skb", "consume_skb"):
            self._write(f"events/skb/{event}/enable", "0")
        self.folder.rmdir()


trace = Trace()
atexit.register(trace.close)


def names(counters):
    """The counters by the stack's names."""
    found = Counter()
    for reason, count in counters.items():
        found[NAMES.get(reason, "NOT_SPECIFIED")] += count
    return found


def seen(title, expected, consumed=None, function=None):
    """Compares what was traced since `trace.clear` with the counters; `function` is where it must
    have come from."""
    dropped, handled = trace.events()
    equal(f"{title}: dropped", Counter(reason for _, reason in dropped), names(expected))
    if consumed is not None:
        equal(f"{title}: consumed", len(handled), consumed)
    if function:
        equal(f"{title}: place", [place for place, _ in dropped if function not in place], [])


def handled():
    """What the driver has handled is consumed."""
    fresh(far.address)
    trace.clear()
    before = drops()
    accepted("initiation", (handshake := Handshake(REMOTE, WG0, PSK)).initiation(), 148, [92])
    seen("an initiation", {}, 1)

    trace.clear()
    fresh()
    session = far.connect(confirm=False)
    trace.clear()
    accepted("keepalive", session.data(), 32)
    seen("a keepalive", {}, 1)

    tap = Delivered()
    trace.clear()
    accepted("data", session.data(ip4("10.9.0.2", "10.9.0.1", udp(b"x"))), 64)
    into_tunnel()
    equal("an answer", [len(message) for message in far.receive()], [64])
    seen("data both ways", {})
    tap.close()

    fresh(far.address)
    handshake = far.asked()
    trace.clear()
    far.send(noise.cookie_reply(handshake.sender, b"c" * 16, P, handshake.asked))
    equal("a cookie starts nothing", far.receive(), [])
    seen("a cookie", {}, 1)
    trace.clear()
    accepted("response", handshake.response()[0], 92, [64])
    seen("a response", {}, 1)
    equal("counters", {reason: count for reason, count in risen(before).items() if reason != "gone"}, {})


def refused_ones():
    """One of each kind: one drop, for its reason, at the function that drops it."""
    fresh()
    session = far.connect()
    other = Handshake(REMOTE, WG0, PSK).initiation()
    good = session.data(counter=10)
    far.send(good)
    far.receive()
    packet = ip4("10.9.0.3", "10.9.0.1", udp(b"x"))
    short = ip4("10.9.0.2", "10.9.0.1", udp(b"x"))
    cases = [
        ("rx-bad-length", b"\1\0\0\0", "receive"),
        ("rx-bad-type", b"\5\0\0\0" + bytes(28), "receive"),
        ("rx-data-unknown-index", Session(0, session.remote ^ 1, session.sending, b"").data(), "receive"),
        ("rx-data-bad", garbled(session.data(counter=11)), "open"),
        ("rx-data-replayed", good, None),
        ("rx-inner-bad-source", session.data(packet, counter=12), None),
        ("rx-inner-bad-header", session.data(b"\x75" + bytes(39), counter=13), None),
        ("rx-inner-bad-length", session.data(short[:2] + b"\x7f\xff" + short[4:], counter=14), None),
        ("rx-bad-mac1", other[:116] + garbled(other[116:132]) + bytes(16), "HandshakeWorker"),
        ("rx-response-unknown-index", noise.add_macs(b"\2\0\0\0" + bytes(56), WG0), "HandshakeWorker"),
        ("rx-cookie-unknown-index", noise.cookie_reply(1, b"c" * 16, P, bytes(148)), "HandshakeWorker"),
    ]
    places = set()
    for reason, message, function in cases:
        trace.clear()
        before = drops()
        far.send(message)
        equal(f"{reason}: no answer", far.receive(), [])
        equal(f"{reason}: counters", risen(before), {reason: 1})
        seen(reason, {reason: 1}, 0, function)
        places.update(place for place, _ in trace.events()[0])
    for reason, address in (("tx-no-peer", "10.9.0.99"), ("tx-no-endpoint", "10.9.0.3")):
        trace.clear()
        before = drops()
        holds(f"{reason}: an error", into_tunnel(address))
        equal(f"{reason}: counters", risen(before), {reason: 1})
        seen(reason, {reason: 1}, 0, "xmit")
        places.update(place for place, _ in trace.events()[0])
    check.note("\n    ".join(["dropped at", *sorted(places)]))
    holds(f"tracing tells places apart: {places}", len(places) >= 4)


def all_of(step, without_packet=()):
    """A step of bad-packets: drops and counters agree over all of it, except what is counted
    without a packet."""

    def traced():
        trace.clear()
        before = drops()
        step()
        counted = risen(before)
        for reason in without_packet:
            counted.pop(reason, None)
        seen(step.__name__, counted)
    traced.__name__ = f"all of {step.__name__}"
    return traced


def down():
    """What waits when the interface goes down."""
    fresh(far.address)
    trace.clear()
    before = drops()
    into_tunnel(count=3)
    run("ip -n near link set wg0 down")
    run("ip -n near link set wg0 up")
    equal("counters", risen(before), {"gone": 3})
    seen("down", {"gone": 3})


def unreasoned():
    """Nothing was freed without a word."""
    equal("packets", Path("/sys/kernel/debug/wireguard/unreasoned-packets").read_text(encoding="ascii"), "0\n")


# /sys shows the network namespace of the process that mounted it.
os.makedirs("/run/near-stats", exist_ok=True)
run("nsenter --net=/run/netns/near mount -t sysfs near /run/near-stats")
noise.demonstrate()
fresh()
into_tunnel()
drops()
trace.events()
time.sleep(1)
check.main(handled, refused_ones, *map(all_of, (shapes, initiations, responses, data, crowd, sessions, waiting, inner, load)),
           all_of(sending, ["low-order-key"]), down, unreasoned)
