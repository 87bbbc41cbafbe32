# SPDX-License-Identifier: GPL-2.0
"""The kernel's instructions per packet, by what they are for, with the C module and with ours.

usage: report.py plan          prints what tools/bench/guest.sh has to do
       report.py show FOLDER   prints the tables
"""

import bisect
import collections
import pathlib
import re
import sys

# Title, program and words for guest.sh, and how many packets its result stands for.
SEGMENT = 1368
QUIC_DATAGRAM = 1252
CASES = (
    ("TCP, 1 stream: per full segment", "tcp 8M", lambda run: run["bytes"] / SEGMENT),
    ("UDP, 64 B: per datagram", "udp 64 8000", lambda run: run["packets"]),
    ("ping: per round trip", "ping 3000", lambda run: run["packets"]),
    ("QUIC-like: per datagram", "quic 6400", lambda run: run["bytes"] / QUIC_DATAGRAM),
)
MODULES = ("c", "ours")

# What a function is for: the first that its module and name fit.
STAGES = (
    ("crypto: vectors", r"\[lib(chacha|poly1305)\] .*(avx|ssse3|__poly1305|poly1305_blocks_x86)"),
    ("crypto: one-time key", r".* (chacha_permute|chacha_block_generic)$"),
    ("crypto: glue", r"\[lib(chacha|poly1305|chacha20poly1305)\]|.* (kernel_fpu_|irq_fpu_usable|.*kext6crypto)"),
    ("the module", r"\[wireguard\]"),
    ("zeroing", r".* (memset|clear_page|clear_highpage)"),
    ("copying, checksums", r".* (memcpy|memmove|_copy_|copy_|rep_movs|csum_partial|skb_copy_and_csum|__skb_datagram_iter)"),
    ("GRO and GSO", r".* .*(gro|gso)_|.* (skb_segment|skb_mac_gso|skb_gro)"),
    ("inner TCP", r".* (__)?tcp"),
    ("scheduler", r".* .*(sched|psi_|ttwu|wake|vruntime|cfs_rq|_entity|_rq_|update_curr|update_se|load_avg|switch_|"
                  r"__switch|pick_|_task_|dl_se|_task$|enqueue_|dequeue_|prepare_to_wait|finish_wait)"),
    ("workqueue", r".* .*(work|pwq)"),
    ("softirq, NAPI", r".* .*(softirq|local_bh|net_rx_action|napi|backlog)"),
    ("skb and slab", r".* .*(skb|kmem_|kmalloc|kfree|slab|page|folio)"),
    ("IP, UDP, routes, devices", r".* .*(ip_|ip4|ip6|ipv6|udp|fib_|route|neigh|dev_|inet|nf_|dst_|netif|eth_|raw|icmp|"
                                 r"xmit|xfrm|siphash|sock|arp)|\[(veth|udp_tunnel|ip6_udp_tunnel)\]"),
)
OTHER = "other"

# Calls that are counted: title, and which functions.
CALLS = (
    ("context switches", r"__schedule$"),
    ("wake-ups", r"try_to_wake_up$"),
    ("allocations", r"(kmem_cache_alloc|kmalloc|__kmalloc).*noprof$"),
    ("FPU sections", r"kernel_fpu_begin_mask$"),
)


def plan():
    """Lines of guest.sh: NUMBER LEFT RIGHT WIRE FAMILY SHAPE RULES PROGRAM WORDS…"""
    runs = [(module, case) for module in MODULES for case in CASES]
    for number, (module, case) in enumerate(runs):
        yield f"{number} {module} {module} single 4 direct 0 {case[1]}"


def stage_of(name, module):
    """What a function is for."""
    text = f"[{module}] {name}"
    return next((title for title, pattern in STAGES if re.match(pattern, text)), OTHER)


class Symbols:
    """The functions of a kernel by address."""

    def __init__(self, lines):
        found = []
        for line in lines:
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                found.append((int(address, 16), name, module[0].strip("[]") if module else "kernel"))
        self.found = sorted(found)
        self.starts = [start for start, *_ in self.found]

    def at(self, address):
        """The function that this address lies in: start, name, module."""
        return self.found[max(bisect.bisect_right(self.starts, address) - 1, 0)]


class Profile:
    """What ran between two marks."""

    def __init__(self, counts, symbols):
        self.stages = collections.Counter()
        self.functions = collections.Counter()
        self.calls = collections.Counter()
        self.locked = self.user = 0
        for line in counts:
            address, length, locked, runs = line.split()
            address, length, locked, runs = int(address, 16), int(length), int(locked), int(runs)
            # The upper half is the kernel's.
            if address < 1 << 63:
                self.user += length * runs
                continue
            start, name, module = symbols.at(address)
            self.functions[(name, module)] += length * runs
            self.stages[stage_of(name, module)] += length * runs
            self.locked += locked * runs
            if start == address:
                for title, pattern in CALLS:
                    if re.match(pattern, name):
                        self.calls[title] += runs


def results(lines):
    """What guest.sh measured, by number."""
    found = {}
    for line in lines:
        word, number, *pairs = line.split()
        if word == "end":
            found[int(number)] = {key: float(value) for key, value in (pair.split("=") for pair in pairs)}
    return found


def table(title, c, ours):
    """A table of two profiles, each with its number of packets."""
    rows = [(stage, c[0].stages[stage] / c[1], ours[0].stages[stage] / ours[1])
            for stage in [name for name, _ in STAGES] + [OTHER]]
    rows.append(("all of the kernel", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    rows.append(("programs", c[0].user / c[1], ours[0].user / ours[1]))
    yield f"{title:34} {'C':>9} {'ours':>9} {'C/ours':>7}"
    for name, left, right in rows:
        ratio = f"{left / right:7.2f}" if right else "      -"
        yield f"  {name:32} {left:9.0f} {right:9.0f} {ratio}"
    yield f"  {'locked instructions':32} {c[0].locked / c[1]:9.1f} {ours[0].locked / ours[1]:9.1f}"
    for name, _ in CALLS:
        yield f"  {name:32} {c[0].calls[name] / c[1]:9.2f} {ours[0].calls[name] / ours[1]:9.2f}"


def show(folder):
    """Prints the tables of a folder."""
    measured = results((folder / "results").read_text().splitlines())
    profiles = {}
    for number, module in enumerate(module for module in MODULES for _ in CASES):
        symbols = Symbols((folder / f"symbols.{number}").read_text().splitlines())
        # A mark comes before each run and one after it.
        with open(folder / f"counts.{2 * number + 1}", encoding="ascii") as counts:
            profiles[module, number % len(CASES)] = Profile(counts, symbols), CASES[number % len(CASES)][2](measured[number])
    for index, (title, _, _) in enumerate(CASES):
        print(*table(title, profiles["c", index], profiles["ours", index]), "", sep="\n")


if __name__ == "__main__":
    if sys.argv[1] == "plan":
        print(*plan(), sep="\n")
    else:
        show(pathlib.Path(sys.argv[2]))
