# SPDX-License-Identifier: GPL-2.0
"""The second clock: what is measured in CPU time on User Mode Linux, in which order, and what comes
of it.

usage: clock.py plan TURNS [WORD…]           prints the plan of clock-guest.sh; WORDs choose cases
       clock.py report FOLDER TURNS [WORD…]  the table; leaves result.json and where.txt in FOLDER
"""

import collections
import json
import os
import pathlib
import statistics
import sys
from typing import NamedTuple

# No tunnel, the C driver under its other name, our module.
ENDS = ("none", "wireguarc", "ours")

# What a segment of TCP carries through a tunnel.
MSS = 1420 - 20 - 32

# What only User Mode Linux has: functions for the interrupt flag that are one instruction
# elsewhere.
FLAG = {"um_get_signals", "um_set_signals", "um_set_signals_trace", "block_signals", "unblock_signals",
        "block_signals_trace", "unblock_signals_trace", "os_local_ipi_enable",
        "os_local_ipi_disable", "__local_ipi_set"}
# And its host: the kernel there, the library through which it is called, and what walks page tables
# in its stead.
HOST = {"<host>", "<library>", "buffer_op", "do_op_one_page", "maybe_map", "virt_to_pte"}

NOTES = """ratio: C's over ours, above 1 is better than C; "from … to": its range over the turns
flag: the interrupt flag, a function of User Mode Linux; host: system calls, page faults and the
walk of page tables where user memory is copied. Both are taken out for "less UML".
docs/benchmarks.md says what this clock cannot tell."""

# Functions that take fewer nanoseconds for a packet are not listed.
LEAST = 10


class Case(NamedTuple):
    """One kind of traffic. `program` and its words are what traffic.sh does: run_PROGRAM WORDS…"""
    name: str
    program: str
    # With "{}" for the amount, of which a run has the second one; one with the first is what there
    # is beside the traffic.
    words: str
    amounts: tuple
    wires: tuple
    # How many packets a result tells of.
    packets: object


def by_bytes(run):
    return run["bytes"] / MSS


def by_count(run):
    return run["packets"]


# A system call takes longer here than a packet, so datagrams are sent and read many at once.
CASES = (
    Case("TCP, 1 stream", "tcp", "{}M", (2, 200), ("veth", "single", "gro"), by_bytes),
    Case("UDP, 1372 B", "stream", "1372 {}", (1280, 96000), ("single", "gro"), by_count),
    Case("UDP, 64 B", "stream", "64 {}", (1280, 128000), ("single", "gro"), by_count),
    Case("QUIC", "quic", "{}", (1600, 96000), ("single", "gro"), by_count),
    Case("request and response, 64 B", "echo", "64 {}", (300, 15000), ("single",), by_count),
    Case("ping", "ping", "{}", (300, 15000), ("single",), by_count),
)


class Run(NamedTuple):
    """One case, on one wire, with one kind of tunnel."""
    case: Case
    wire: str
    ends: str
    turn: int
    # Not the traffic, but what there is beside it.
    beside: bool


def runs(turns, words=()):
    """All runs, in their order: a turn has all three kinds of tunnel next to each other, every
    other one backwards."""
    for case in CASES:
        if words and not any(word in case.name for word in words):
            continue
        for wire in case.wires:
            for turn in range(turns):
                for ends in ENDS[::-1] if turn % 2 else ENDS:
                    for beside in True, False:
                        yield Run(case, wire, ends, turn, beside)


def plan(turns, words=()):
    """Lines of clock-guest.sh: NUMBER LEFT RIGHT WIRE FAMILY SHAPE RULES PROGRAM WORDS…"""
    for number, run in enumerate(runs(turns, words)):
        case = run.case
        yield (f"{number} {run.ends} {run.ends} {run.wire} 4 direct 0 "
               f"{case.program} {case.words.format(case.amounts[not run.beside])}")


def read_results(lines):
    """What "end NUMBER KEY=VALUE…" lines say, by number."""
    found = {}
    for line in lines:
        event, number, *pairs = line.split()
        if event == "end":
            parts = (pair.partition("=") for pair in pairs)
            found[int(number)] = {key: float(value) for key, _, value in parts}
    return found


def read_samples(lines):
    """Samples by function."""
    found = collections.Counter()
    for line in lines:
        count, function = line.split(maxsplit=1)
        found[function] += int(count)
    return found


class Cost(NamedTuple):
    """Microseconds of CPU time, of a run or for a packet."""
    all: float
    # Of it, what the interrupt flag and the host take.
    flag: float = 0
    host: float = 0

    def net(self):
        return self.all - self.flag - self.host


def cost(result, samples):
    all_samples = sum(samples.values()) or 1
    time = result["cpu"] / 1e3
    return Cost(time, *(time * sum(samples.get(name, 0) for name in names) / all_samples
                        for names in (FLAG, HOST)))


def per_packet(case, beside, run):
    """Out of the results and costs of the two runs."""
    packets = case.packets(run[0]) - case.packets(beside[0])
    return Cost(*((all_ - less) / packets for all_, less in zip(run[1], beside[1])))


def collect(planned, results, samples):
    """Costs by (case, wire), kind of tunnel and turn, and which runs have no result."""
    costs, missing, before = {}, [], None
    for number, run in enumerate(planned):
        if number not in results:
            missing.append(f"{run.case.name}, {run.wire}, {run.ends}, turn {run.turn + 1}")
            before = None
            continue
        found = results[number], cost(results[number], samples(number))
        if run.beside:
            before = found
        elif before:
            costs.setdefault((run.case.name, run.wire), {}).setdefault(run.ends, {})[run.turn] = \
                per_packet(run.case, before, found)
    return costs, missing


def where(planned, results, samples):
    """Lines: what each function takes for a packet with each kind of tunnel, the mean over all
    turns; the largest first."""
    packets, times = collections.Counter(), {}
    for number, run in enumerate(planned):
        if number not in results or run.beside:
            continue
        row = run.case.name, run.wire
        packets[row, run.ends] += run.case.packets(results[number])
        found = samples(number)
        for function, count in found.items():
            of_row = times.setdefault(row, collections.Counter())
            of_row[function, run.ends] += results[number]["cpu"] / 1e3 * count / sum(found.values())
    for row, of_row in times.items():
        yield f"{', '.join(row)}: ns for a packet, none / C / ours"
        by_function = {function: [of_row[function, ends] * 1e3 / (packets[row, ends] or 1)
                                  for ends in ENDS] for function, _ in of_row}
        for function, by_ends in sorted(by_function.items(), key=lambda item: -max(item[1])):
            if max(by_ends) >= LEAST:
                yield "".join(f"{time:8.0f}" for time in by_ends) + f"  {function}"


def median(costs, of):
    return statistics.median(of(one) for one in costs.values())


def ratios(by_ends, of):
    """C's cost over ours in each turn that has both."""
    c, ours = by_ends.get("wireguarc", {}), by_ends.get("ours", {})
    return [of(c[turn]) / of(ours[turn]) for turn in c if turn in ours]


def table(costs):
    """Its lines."""
    yield (f"{'µs of CPU time for a packet':30}{'wire':8}{'none':>7}"
           f"{'C':>7}{'ours':>7}{'ratio':>7}{'from … to':>14}"
           f"{'less UML: C':>13}{'ours':>7}{'ratio':>7}{'from … to':>14}   flag, host: C / ours")
    before = None
    for (case, wire), by_ends in costs.items():
        line = f"{case if case != before else '':30}{wire:8}"
        before = case
        line += f"{median(by_ends['none'], Cost.net):7.2f}" if "none" in by_ends else f"{'-':>7}"
        if "wireguarc" not in by_ends or "ours" not in by_ends:
            yield line
            continue
        c, ours = by_ends["wireguarc"], by_ends["ours"]
        for title, of in (("", lambda one: one.all), ("     ", Cost.net)):
            each = ratios(by_ends, of)
            line += (f"{title}{median(c, of):{7 if not title else 8}.2f}{median(ours, of):7.2f}"
                     f"{median(c, of) / median(ours, of):7.2f}"
                     f"{f'{min(each):.2f} … {max(each):.2f}':>14}")
        shares = [f"{median(of_ends, lambda one: one.flag / one.all):.0%}, "
                  f"{median(of_ends, lambda one: one.host / one.all):.0%}" for of_ends in (c, ours)]
        yield f"{line}   {' / '.join(shares)}"


def main():
    command, *words = sys.argv[1:]
    if command == "plan":
        print(*plan(int(words[0]), words[1:]), sep="\n")
        return
    folder, turns = pathlib.Path(words[0]), int(words[1])
    planned = list(runs(turns, words[2:]))
    results = read_results((folder / "results").read_text().splitlines())

    def samples(number):
        return read_samples((folder / f"samples/{number}").read_text().splitlines())

    costs, missing = collect(planned, results, samples)
    (folder / "where.txt").write_text("\n".join(where(planned, results, samples)) + "\n")
    (folder / "result.json").write_text(json.dumps({
        "commit": os.environ.get("WG_BENCH_COMMIT"), "kernel": os.environ.get("WG_BENCH_KERNEL"), "turns": turns,
        "costs": [{"case": case, "wire": wire, "ends": ends, "turn": turn, **one._asdict()}
                  for (case, wire), by_ends in costs.items() for ends, by_turn in by_ends.items()
                  for turn, one in by_turn.items()],
        "missing": missing}, indent=1) + "\n")
    print(*table(costs), sep="\n")
    print(f"commit {os.environ.get('WG_BENCH_COMMIT')}, kernel {os.environ.get('WG_BENCH_KERNEL')}, "
          f"medians of {turns} turns")
    print(NOTES)
    for text in missing[:3]:
        print(f"FAILED: {text}")
    if missing:
        print(f"{len(missing)} runs have no result")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
