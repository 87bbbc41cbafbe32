# SPDX-License-Identifier: GPL-2.0
"""Collects what the rounds have measured: a table, result.json and ratios.svg.

usage: report.py FOLDER ROUNDS [quick] [WORD…]   (the words that cases.py got)
"""

import json
import os
import pathlib
import sys
from typing import NamedTuple

from cases import CASES, WIRES, runs

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


def read_results(lines):
    """What "end NUMBER KEY=VALUE…" lines say, by number."""
    found = {}
    for line in lines:
        event, number, *pairs = line.split()
        if event == "end":
            found[int(number)] = {key: float(value) for key, _, value in (pair.partition("=") for pair in pairs)}
    return found


def collect(rounds):
    """Rows out of pairs (runs of a round, their results by number), and which runs have no result."""
    values, figures, missing = {}, {}, []
    for planned, results in rounds:
        for index, run in enumerate(planned):
            if index not in results:
                missing.append(f"{run.case.name}, {run.wire}, {NAMES[run.left]} to {NAMES[run.right]}")
                continue
            for figure in run.case.figures:
                key = run.case.name, run.wire, figure.unit
                figures[key] = figure
                values.setdefault(key, {}).setdefault((run.left, run.right), []).append(figure.of(results[index]))
    rows = []
    for key, by_pair in values.items():
        c = by_pair.pop(("c", "c"), ())
        rows += [compare(key, figures[key], pair, c, ours) for pair, ours in by_pair.items() if len(c) == len(ours)]
    order = [(case.name, wire) for case in CASES for wire in case.wires]
    return sorted(rows, key=lambda row: order.index((row.case, row.wire))), missing


def compare(key, figure, pair, c, ours):
    case, wire, unit = key
    name = "ours" if pair == ("ours", "ours") else f"{NAMES[pair[0]]} to {NAMES[pair[1]]}"
    ratio = spread = None
    if figure.has_ratio and all(c) and all(ours):
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
               f"{mean(row.c):11.2f}{mean(row.pairs):11.2f} {row.unit:19}{ratio}"
               f"{'  worse' if row.ratio and row.ratio < WORSE else ''}")
        before = row.case


def main():
    folder, count, *words = sys.argv[1:]
    folder = pathlib.Path(folder)
    quick = "quick" in words
    words = [word for word in words if word != "quick"]
    rounds = []
    for number in range(1, int(count) + 1):
        lines = (folder / f"round{number}/results").read_text().splitlines()
        rounds.append((list(runs(number, quick, words)), read_results(lines)))
    rows, missing = collect(rounds)
    result = {
        "commit": os.environ["WG_BENCH_COMMIT"], "kernel": os.environ["WG_BENCH_KERNEL"], "quick": quick,
        "rounds": len(rounds), "rows": [row._asdict() for row in rows], "missing": missing,
        "runs": [{**run._asdict(), "case": run.case.name, "round": number, **results.get(index, {})}
                 for number, (planned, results) in enumerate(rounds, 1) for index, run in enumerate(planned)],
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")

    print(*table(rows), sep="\n")
    print("\nratio: above 1 is better than C; spread: between the rounds")
    for wire, text in WIRES.items():
        print(f"{wire:8}{text}")
    judged = [row.ratio for row in rows if row.ratio is not None]
    print(f"commit {result['commit']}, kernel {result['kernel']}, {len(rounds)} rounds; "
          f"{sum(ratio < WORSE for ratio in judged)} of {len(judged)} figures are worse than C's")
    for text in missing:
        print(f"FAILED: {text}")
    if rows:
        # Only now: it takes a second, and the tests do without.
        from draw import draw  # pylint: disable=import-outside-toplevel
        draw(result, folder / "ratios.svg")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
