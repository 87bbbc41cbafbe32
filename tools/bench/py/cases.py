# SPDX-License-Identifier: GPL-2.0
"""What is measured, and in which order: the list of cases, and the plan of a round that guest.sh
carries out.

usage: cases.py ROUND [quick] [WORD…]   prints the plan; WORDs choose the cases with such a word in their names
"""

import sys
from typing import NamedTuple

# How the ends of each veth pair are set: what the sender hands over whole, and what the receiver
# puts together.
WIRES = {
    "veth": "(1) plain veth: the receiver gets what the sender's GSO made",
    "single": "(2) no segmentation offload, no GRO",
    "gro": "(3) no segmentation offload, but GRO",
}


# What makes the tunnel, where WireGuard is compared with others; see vpns.sh.
VPNS = {
    "ours": "WireGuard, this module",
    "c": "WireGuard, C module",
    "ipsec-gcm": "IPsec, AES-128-GCM",
    "ipsec-chacha": "IPsec, ChaCha20-Poly1305",
    "openvpn": "OpenVPN, AES-256-GCM, in user space",
    "go": "WireGuard, wireguard-go",
}
OTHERS = set(VPNS) - {"c", "ours"}


class Figure(NamedTuple):
    """One number out of a run's results."""
    unit: str
    of: object
    less_is_better: bool = False
    # Where C's may be 0, a ratio says nothing.
    has_ratio: bool = True


RATE = Figure("Mbit/s", lambda run: run["bytes"] * 8 / run["seconds"] / 1e6)
PACKETS = Figure("kpps", lambda run: run["packets"] / run["seconds"] / 1e3)
ROUND_TRIP = Figure("µs", lambda run: run["seconds"] / run["packets"] * 1e6, less_is_better=True)
REQUEST = Figure("µs/request", lambda run: run["seconds"] / run["packets"] * 1e6, less_is_better=True)
LATENCY = (Figure("p50: µs", lambda run: run["p50"], less_is_better=True),
           Figure("p99: µs", lambda run: run["p99"], less_is_better=True),
           Figure("lost", lambda run: run["lost"], less_is_better=True, has_ratio=False))
RETRANSMITS = Figure("retransmits", lambda run: run["retransmits"], less_is_better=True, has_ratio=False)


def each(key):
    """Instructions per peer: a second of guest time is a billion of them."""
    return Figure(f"{key}: kinstr/peer", lambda run: run[key] * 1e6 / run["peers"], less_is_better=True)


PEERS = (
    each("add"), each("dump"), each("key"), each("remove"), each("delete"),
    Figure("delete: ms", lambda run: run["delete-call"] * 1e3, less_is_better=True),
    Figure("KiB/peer", lambda run: run["memory"] / run["peers"], less_is_better=True),
    Figure("threads", lambda run: run["threads"], less_is_better=True, has_ratio=False),
)


class Case(NamedTuple):
    """One kind of traffic. `program` and `words` are what guest.sh does: run_PROGRAM WORDS…"""
    name: str
    program: str
    words: str
    figures: tuple
    wires: tuple = tuple(WIRES)
    # The wires of it that the quick table has.
    quick: tuple = ()
    # The outer address family, the namespaces between the ends, and how many rules of nftables each
    # of them has.
    family: int = 4
    shape: str = "direct"
    rules: int = 0
    # Pairs beside C with C and ours with ours: (sender, receiver), where C's driver has its other
    # name.
    pairs: tuple = ()
    # Only if it is asked for by the first word of its name, and ours alone.
    by_hand: bool = False
    # Or each of VPNS at both ends: a table of its own, without ratios.
    vpns: bool = False

    def ends(self, quick):
        """The pairs that are measured."""
        if self.by_hand:
            return (("ours", "ours"),)
        if self.vpns:
            return tuple((vpn, vpn) for vpn in VPNS)
        return (("c", "c"), ("ours", "ours"), *(() if quick else self.pairs))


MIXED = (("wireguarc", "ours"), ("ours", "wireguarc"))

# Which few packets are lost decides more than what the module does. So a row with losses is the
# mean over these.
SEEDS = range(1, 5)

# Amounts: about a third of a second of guest time each.
CASES = (
    Case("TCP, 1 stream", "tcp", "8M", (RATE,), quick=tuple(WIRES), pairs=MIXED),
    Case("TCP, 4 streams", "tcp", "2M -P 4", (RATE,), quick=("single", "gro")),
    Case("TCP, reverse", "tcp", "8M -R", (RATE,)),
    Case("TCP, both directions", "tcp", "4M --full-duplex", (RATE,)),
    Case("TCP, MSS 536", "tcp", "4M -M 536", (RATE,), quick=("single",)),
    # Without Nagle's algorithm, so that only what is on its way makes the next ones wait.
    Case("TCP, 200 B writes", "tcp", "1M -N -l 200", (RATE,)),
    Case("TCP, 1 stream, IPv6 outside", "tcp", "8M", (RATE,), family=6, quick=("single",)),
    Case("UDP, 1372 B", "udp", "1372 5000", (RATE,), quick=("single", "gro")),
    Case("UDP, 64 B", "udp", "64 8000", (PACKETS,), quick=("single",), pairs=MIXED),
    Case("UDP, 64 B, IPv6 outside", "udp", "64 8000", (PACKETS,), family=6),
    Case("ping", "ping", "3000", (ROUND_TRIP,), quick=("single",), pairs=MIXED),
    Case("ping, IPv6 outside", "ping", "3000", (ROUND_TRIP,), family=6),
    Case("gateway, TCP, 1 stream", "tcp", "8M", (RATE,), shape="gateway"),
    Case("gateway, UDP, 64 B", "udp", "64 6000", (PACKETS,), shape="gateway", quick=("single",)),
    # Like the traffic of programs: see load.c. On plain veth a datagram inside is cut only for
    # those that ask.
    Case("QUIC-like", "quic", "6400", (RATE,), quick=("single", "gro")),
    *(Case(f"HTTP, {size} KB, {'kept alive' if kept == 'kept' else 'new connections'}, {at_once} at a time", "http",
           f"{size}000 {count} {at_once} {kept}", (REQUEST,), wires=("single", "gro"))
      for size, count, at_once, kept in ((10, 400, 1, "new"), (10, 400, 32, "new"), (10, 600, 1, "kept"),
                                         (10, 600, 32, "kept"), (100, 80, 32, "new"))),
    Case("request and response, 64 B", "echo", "64 3000", (REQUEST,), wires=("single", "gro")),
    Case("small packet beside bulk", "beside", "300", LATENCY, wires=("single",)),
    *(Case(f"hub with 200 peers, {size} B", "hub", f"{size} 3000 200", (REQUEST,),
           wires=("single", "gro"), shape="hub:200") for size in (64, 1200)),
    *(Case(f"{shape}, {name}", program, words, (figure,), wires=wires, shape=shape)
      for shape, wires in (("relay", ("single", "gro")), ("nested", tuple(WIRES)))
      for name, program, words, figure in (
          ("TCP, 1 stream", "tcp", "6M", RATE), ("UDP, 64 B", "udp", "64 4000", PACKETS),
          ("QUIC-like", "quic", "3200", RATE),
          ("request and response, 64 B", "echo", "64 2000", REQUEST))),
    Case("50 rules, TCP, 1 stream", "tcp", "8M", (RATE,), rules=50),
    Case("50 rules, UDP, 64 B", "udp", "64 6000", (PACKETS,), rules=50),
    Case("20 ms, no loss", "tcp", "8M", (RATE, RETRANSMITS), wires=("single", "gro"), shape="netem:0:1"),
    *(Case("20 ms, 0.1 % loss", "tcp", "8M", (RATE, RETRANSMITS), wires=("single", "gro"), shape=f"netem:0.1:{seed}")
      for seed in SEEDS),
    *(Case("20 ms, 1 % loss", "tcp", "4M", (RATE, RETRANSMITS), wires=("single", "gro"), shape=f"netem:1:{seed}")
      for seed in SEEDS),
    Case("vpns, TCP, 1 stream", "tcp", "4M", (RATE,), vpns=True),
    Case("vpns, ping", "ping", "2000", (ROUND_TRIP,), wires=("single",), vpns=True),
    # Without any packet, there is no wire.
    Case("1000 peers", "peers", "1000", PEERS, wires=("-",), shape="none"),
    Case("10000 peers", "peers", "10000", PEERS, wires=("-",), shape="none"),
    Case("100000 peers", "peers", "100000", PEERS, wires=("-",), shape="none", by_hand=True),
)


class Run(NamedTuple):
    """One case, on one wire, with one module at either end."""
    case: Case
    wire: str
    left: str
    right: str

    def topology(self):
        """What guest.sh builds for it; the next run goes on with the same."""
        case = self.case
        return f"{self.left} {self.right} {self.wire} {case.family} {case.shape} {case.rules}"

    def place(self):
        """Where it stands among those on the same wire."""
        return self.left in OTHERS, self.topology()


def runs(number, quick, words=()):
    """The runs of round `number` (from 1). Those of one topology stand together, C's next to ours;
    every other round has them in the opposite order."""
    groups = {}
    for case in CASES:
        if words and not any(word in case.name for word in words) or case.by_hand and case.name.split()[0] not in words:
            continue
        for wire in case.quick if quick else case.wires:
            for left, right in case.ends(quick):
                groups.setdefault((wire, case.family, case.shape, case.rules), []).append(Run(case, wire, left, right))
    found = [run for group in groups.values() for run in sorted(group, key=Run.place)]
    return found if number % 2 else found[::-1]


def plan(number, quick, words=()):
    """Lines of guest.sh: NUMBER LEFT RIGHT WIRE FAMILY SHAPE RULES PROGRAM WORDS…"""
    for index, run in enumerate(runs(number, quick, words)):
        yield f"{index} {run.topology()} {run.case.program} {run.case.words}"


if __name__ == "__main__":
    chosen = sys.argv[2:]
    lines = list(plan(int(sys.argv[1]), "quick" in chosen, [word for word in chosen if word != "quick"]))
    if not lines:
        sys.exit(f"no case has one of these words in its name: {' '.join(chosen)}")
    print(*lines, sep="\n")
