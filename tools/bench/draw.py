# SPDX-License-Identifier: GPL-2.0
"""The chart of the ratios to C, by case and wire.

usage: draw.py RESULT.JSON FILE.SVG
"""

import json
import sys

import matplotlib

from cases import WIRES

COLOURS = {"veth": "#9aa5b1", "single": "#1f6f8b", "gro": "#e08e45"}


def draw(result, path):
    """Only both ends ours, and only traffic: what peers cost differs by factors of which no bar would show the rest."""
    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel

    ratios = {}
    for row in result["rows"]:
        if row["pair"] == "ours" and row["ratio"] is not None:
            ratios.setdefault(row["case"], {})[row["wire"]] = row["ratio"]
    ratios = {case: by_wire for case, by_wire in ratios.items() if "peer" not in case}
    if not ratios:
        return

    figure, axes = pyplot.subplots(figsize=(8, 0.9 + 0.5 * len(ratios)), layout="constrained")
    height = 0.8 / len(WIRES)
    for number, (wire, text) in enumerate(WIRES.items()):
        places = [(at, by_wire[wire]) for at, by_wire in enumerate(ratios.values()) if wire in by_wire]
        if places:
            bars = axes.barh([at + (number - 1) * height for at, _ in places], [ratio for _, ratio in places], height,
                             color=COLOURS[wire], label=text)
            axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(ratios)), ratios)
    axes.invert_yaxis()
    axes.set_xlabel("C module = 1; longer is better")
    axes.set_title(f"Speed in instruction-counted time, one CPU\nkernel {result['kernel']}, commit {result['commit']}",
                   fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        draw(json.load(file), sys.argv[2])
