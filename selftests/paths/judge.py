# SPDX-License-Identifier: GPL-2.0
"""Compares what the turns of each entry gave with ours and with the C driver.

usage: judge.py FIGURES [--json FILE] [--order-only] NAME…   (names after "!" ended their machine)

Prints a line per entry and ends with status 1 if one is red. FIGURES is what run.sh writes.
--order-only leaves the throughput out, for machines whose time is real.
"""

import json
import math
import sys

# What must not be more than with the C driver, by the end of the key; all turns are added.
FEWER = ("_late", "_lost", "_twice", "_altered", "_missing", "_errors", "_unreleased", "_short", "log", "raw_large")
# Of these, what chance decides where there are several seeds, or where time is real.
CHANCE = ("_late", "_lost", "_twice")
LEAST = 0.97
# What is paced must not be faster either; such an entry says "paced=1".
MOST = 1.1
# How many buffers of packets more than with C may be there after a turn: CPUs keep some at hand.
KEPT = 400
# Two-sided 95 % of Student's t, by the number of pairs.
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
DRIVERS = ("wireguard", "wireguarc")


def value(word):
    try:
        return float(word)
    except ValueError:
        return word


def read(path):
    """figures[name][driver] = [turns in the order of the seeds], each a dictionary."""
    figures = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, driver, _, *words = line.split()
            turn = {key: value(rest) for key, _, rest in (word.partition("=") for word in words)}
            figures.setdefault(name, {}).setdefault(driver, []).append(turn)
    return figures


def total(turns, key):
    return sum(turn.get(key, 0) for turn in turns)


def rates(turns, kind):
    """Mbit/s of each turn."""
    return [turn[f"{kind}_bytes"] * 8e-6 / max(turn[f"{kind}_seconds"], 1e-9) for turn in turns]


def ratio(ours, theirs):
    """The geometric mean of the pairs, and the end of the 95 % interval above it."""
    logs = [math.log(max(a, 1e-9) / max(b, 1e-9)) for a, b in zip(ours, theirs)]
    mean = sum(logs) / len(logs)
    if len(logs) == 1:
        return math.exp(mean), math.exp(mean)
    deviation = math.sqrt(sum((log - mean) ** 2 for log in logs) / (len(logs) - 1))
    return math.exp(mean), math.exp(mean + STUDENT[len(logs)] * deviation / math.sqrt(len(logs)))


def most(key, theirs, chance):
    """How many of these may be there with ours."""
    if chance and key.endswith(CHANCE):
        return theirs + 3 * math.sqrt(theirs) + 3
    return theirs


def judge(turns, order_only):
    """(reasons why it is red, ratios by kind of traffic, remarks) of one entry."""
    red, ratios, remarks = [], {}, []
    ours, theirs = (turns.get(driver, []) for driver in DRIVERS)
    if not ours or len(ours) != len(theirs):
        return [f"{len(ours)} turns of ours, {len(theirs)} of C"], {}, []
    for title, side in (("ours", ours), ("C", theirs)):
        red += [f"{title}: {turn['failed']}" for turn in side if "failed" in turn]
    if red:
        return red, {}, []
    for key in sorted({key for turn in ours + theirs for key in turn}):
        kind, _, what = key.rpartition("_")
        mine, other = total(ours, key), total(theirs, key)
        if key.endswith(FEWER) or key.startswith("fault_"):
            if mine > most(key, other, len(ours) > 1 or order_only):
                red.append(f"{key} {mine:.0f}, C {other:.0f}")
        elif key == "kept":
            if mine > other + KEPT * len(ours):
                red.append(f"{mine:.0f} buffers are kept, C {other:.0f}")
        elif key.startswith("same_"):
            if abs(mine - other) > 0.02 * max(mine, other):
                red.append(f"{key} {mine:.0f}, C {other:.0f}")
        elif what == "stamped":
            if mine < other:
                red.append(f"{key} {mine:.0f}, C {other:.0f}")
        elif what == "ms":
            remarks.append(f"{kind} {mine / len(ours):.2f}/{other / len(ours):.2f} ms")
            if mine > 1.25 * other + 0.1 * len(ours) and not order_only:
                red.append(remarks[-1])
        elif what == "seconds":
            rate = rates(ours, kind), rates(theirs, kind)
            mean, upper = ratio(*rate)
            ratios[kind] = {"ratio": mean, "upper": upper, "ours": rate[0], "c": rate[1]}
            if total(ours, "paced") and mean > MOST:
                red.append(f"{kind} {mean:.2f} times as fast as with C, in spite of pacing")
            if upper < LEAST and not order_only:
                red.append(f"{kind} {mean:.3f}: {sum(rate[0]) / len(ours):.1f} Mbit/s, C {sum(rate[1]) / len(ours):.1f}")
        elif key == "large" and mine:
            remarks.append(f"{mine:.0f} large frames, C {other:.0f}")
    return red, ratios, remarks


def line(name, red, ratios, remarks):
    words = [f"{kind} {of['ratio']:.2f}" for kind, of in sorted(ratios.items())] + remarks
    text = f"{name:<26}{'RED  ' if red else 'ok   '}{'  '.join(words)}"
    return "\n".join([text] + [f"{'':<31}{reason}" for reason in red])


def main():
    path, *words = sys.argv[1:]
    order_only = "--order-only" in words
    words = [word for word in words if word != "--order-only"]
    target = None
    if words and words[0] == "--json":
        target = words[1]
        words = words[2:]
    figures = read(path)
    results = {}
    for name in words:
        crashed = name.startswith("!")
        name = name.removeprefix("!")
        red, ratios, remarks = judge(figures.get(name, {}), order_only)
        if crashed:
            sides = figures.get(name, {})
            red = [f"the machine ended, {len(sides.get('wireguarc', []))} turns of C and "
                   f"{len(sides.get('wireguard', []))} of ours were over"]
        results[name] = {"red": red, "ratios": ratios, "remarks": remarks, "figures": figures.get(name, {})}
        print(line(name, red, ratios, remarks), flush=True)
    if target:
        with open(target, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    sys.exit(any(result["red"] for result in results.values()))


if __name__ == "__main__":
    main()
