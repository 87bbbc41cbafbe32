# SPDX-License-Identifier: GPL-2.0
"""Collects what the rounds have measured: tables, result.json, ratios.svg and vpns.svg.

usage: report.py FOLDER ROUNDS [quick] [WORD…]   (the words that cases.py got)
"""

import collections
import json
import os
import pathlib
import sys
from typing import NamedTuple

from cases import CASES, VPNS, WIRES, runs

NAMES = {"c": "C", "wireguarc": "C", "ours": "ours"}
# What is below is worse than C.
WORSE = 0.98


class Row(NamedTuple):
    """One figure of a case, from each round: C's and that of the pair that is compared with it."""
    case: str
    wire: str
    pair: str
    unit: str
    c: tuple
    pairs: tuple
    # Above 1: better than C. None: it says nothing here.
    ratio: float | None
    # Between the rounds: the largest ratio less the smallest one, as a part of their mean.
    spread: float | None


class Vpn(NamedTuple):
    """One figure of a VPN on a wire, from each round."""
    vpn: str
    wire: str
    unit: str
    values: tuple


def read_results(lines):
    """What "end NUMBER KEY=VALUE…" lines say, by number."""
    found = {}
    for line in lines:
        event, number, *pairs = line.split()
        if event == "end":
            found[int(number)] = {key: float(value) for key, _, value in (pair.partition("=") for pair in pairs)}
    return found


def read_repeated(lines):
    """The numbers of the runs that were begun more than once: the first try failed."""
    begun = collections.Counter(int(line.split()[1]) for line in lines if line.startswith("begin "))
    return {number for number, times in begun.items() if times > 1}


def title(run):
    """A run, for people."""
    ends = (NAMES.get(end, end) for end in (run.left, run.right))
    return f"{run.case.name}, {run.wire}, {' to '.join(ends)}"


def collect(rounds):
    """Rows out of pairs (runs of a round, their results by number), and which runs have no
    result."""
    values, figures, missing = {}, {}, []
    alone = {case.name for case in CASES if case.by_hand}
    for planned, results in rounds:
        for index, run in enumerate(planned):
            if index not in results:
                missing.append(title(run))
                continue
            for figure in () if run.case.vpns else run.case.figures:
                key = run.case.name, run.wire, figure.unit
                figures[key] = figure
                values.setdefault(key, {}).setdefault((run.left, run.right), []).append(figure.of(results[index]))
    rows = []
    for key, by_pair in values.items():
        c = by_pair.pop(("c", "c"), ())
        rows += [compare(key, figures[key], pair, c, ours) for pair, ours in by_pair.items()
                 if len(c) == len(ours) or key[0] in alone]
    order = [(case.name, wire) for case in CASES for wire in case.wires]
    return sorted(rows, key=lambda row: order.index((row.case, row.wire))), missing


def collect_vpns(rounds):
    """Vpns out of the same."""
    values = {}
    for planned, results in rounds:
        for index, run in enumerate(planned):
            if run.case.vpns and index in results:
                for figure in run.case.figures:
                    values.setdefault((run.left, run.wire, figure.unit), []).append(figure.of(results[index]))
    return sorted((Vpn(*key, tuple(of_key)) for key, of_key in values.items()),
                  key=lambda row: (list(VPNS).index(row.vpn), list(WIRES).index(row.wire)))


def compare(key, figure, pair, c, ours):
    case, wire, unit = key
    name = "ours" if pair == ("ours", "ours") else f"{NAMES[pair[0]]} to {NAMES[pair[1]]}"
    ratio = spread = None
    if figure.has_ratio and c and all(c) and all(ours):
        ratios = [before / after if figure.less_is_better else after / before for before, after in zip(c, ours)]
        ratio = sum(ratios) / len(ratios)
        spread = (max(ratios) - min(ratios)) / ratio
    return Row(case, wire, name, unit, tuple(c), tuple(ours), ratio, spread)


def mean(values):
    return sum(values) / len(values)


def table(rows):
    """Its lines. Rows are in the order of the cases, wires below each other."""
    yield f"{'':30}{'wire':8}{'':12}{'C':>11}{'':>11}{'unit':20}{'ratio':>7}{'spread':>8}"
    before = None
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:7.2f}{row.spread * 100:6.1f} %"
        yield (f"{row.case if row.case != before else '':30}{row.wire:8}{row.pair:12}"
               f"{format(mean(row.c), '11.2f') if row.c else '-':>11}{mean(row.pairs):11.2f} {row.unit:19}{ratio}"
               f"{'  worse' if row.ratio and row.ratio < WORSE else ''}")
        before = row.case


def vpn_table(vpns):
    """Its lines: a VPN's wires below each other, its figures beside each other, each with its
    spread."""
    units = sorted({row.unit for row in vpns})
    yield f"{'':40}{'wire':8}" + "".join(f"{unit:>11}{'spread':>8}" for unit in units)
    lines = {}
    for row in vpns:
        spread = (max(row.values) - min(row.values)) / mean(row.values)
        lines.setdefault((row.vpn, row.wire), {})[row.unit] = f"{mean(row.values):11.2f}{spread * 100:6.1f} %"
    before = None
    for (vpn, wire), by_unit in lines.items():
        figures = "".join(by_unit.get(unit, " " * 19) for unit in units)
        yield f"{VPNS[vpn] if vpn != before else '':40}{wire:8}{figures}".rstrip()
        before = vpn


def main():
    folder, count, *words = sys.argv[1:]
    folder = pathlib.Path(folder)
    quick = "quick" in words
    words = [word for word in words if word != "quick"]
    rounds, repeated = [], []
    for number in range(1, int(count) + 1):
        lines = (folder / f"round{number}/results").read_text().splitlines()
        planned = list(runs(number, quick, words))
        rounds.append((planned, read_results(lines)))
        repeated += [title(planned[index]) for index in sorted(read_repeated(lines))]
    rows, missing = collect(rounds)
    vpns = collect_vpns(rounds)
    result = {
        "commit": os.environ["WG_BENCH_COMMIT"], "kernel": os.environ["WG_BENCH_KERNEL"], "quick": quick,
        "rounds": len(rounds), "rows": [row._asdict() for row in rows],
        "vpns": [row._asdict() for row in vpns], "missing": missing, "repeated": repeated,
        "runs": [{**run._asdict(), "case": run.case.name, "round": number, **results.get(index, {})}
                 for number, (planned, results) in enumerate(rounds, 1) for index, run in enumerate(planned)],
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")

    if rows:
        print(*table(rows), "\nratio: above 1 is better than C; spread: between the rounds", sep="\n")
    if vpns:
        print(*vpn_table(vpns), "", sep="\n")
    for wire, text in WIRES.items():
        print(f"{wire:8}{text}")
    judged = [row.ratio for row in rows if row.ratio is not None]
    print(f"commit {result['commit']}, kernel {result['kernel']}, {len(rounds)} rounds")
    if judged:
        print(f"{sum(ratio < WORSE for ratio in judged)} of {len(judged)} figures are worse than C's")
    for text in repeated:
        print(f"the first try failed: {text}")
    for text in missing:
        print(f"FAILED: {text}")
    if rows or vpns:
        # Only now: it takes a second, and the tests do without.
        from draw import draw  # pylint: disable=import-outside-toplevel
        draw(result, folder)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
