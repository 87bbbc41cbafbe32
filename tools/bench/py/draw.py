# SPDX-License-Identifier: GPL-2.0
"""The charts: ratios.svg, the ratios to C, by case and wire; vpns.svg, WireGuard and others.

usage: draw.py RESULT.JSON FOLDER
"""

import json
import pathlib
import sys

import matplotlib

from cases import VPNS, WIRES

COLOURS = {"veth": "#9aa5b1", "single": "#1f6f8b", "gro": "#e08e45"}


def draw(result, folder):
    """Those charts for which there are figures."""
    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})
    draw_ratios(result, folder / "ratios.svg")
    draw_vpns(result, folder / "vpns.svg")


def finish(figure, result, path):
    figure.suptitle(f"Speed in instruction-counted time, one CPU\nkernel {result['kernel']}, commit {result['commit']}",
                    fontsize=9)
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def draw_ratios(result, path):
    """Only both ends ours, and only traffic: what peers cost differs by factors of which no bar
    would show the rest."""
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
    axes.spines[["top", "right"]].set_visible(False)
    finish(figure, result, path)


def draw_vpns(result, path):
    """Throughput on the left, where the wires differ, and the round trip on the right."""
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel

    values = {(row["vpn"], row["wire"], row["unit"]): sum(row["values"]) / len(row["values"]) for row in result["vpns"]}
    if not values:
        return

    vpns = [vpn for vpn in VPNS if any(vpn == key[0] for key in values)]
    figure, (left, right) = pyplot.subplots(1, 2, sharey=True, figsize=(8, 1.4 + 0.5 * len(vpns)), layout="constrained",
                                            width_ratios=(3, 2))
    for number, (wire, text) in enumerate(WIRES.items()):
        draw_bars(left, [values.get((vpn, wire, "Mbit/s"), 0) for vpn in vpns], (number - 1) * 0.27, 0.27,
                  color=COLOURS[wire], label=text)
    draw_bars(right, [values.get((vpn, "single", "µs"), 0) for vpn in vpns], 0, 0.4, color=COLOURS["single"])
    left.set_xlabel("TCP, 1 stream, Mbit/s\nlonger is better")
    right.set_xlabel("ping round trip, µs\nshorter is better")
    left.set_yticks(range(len(vpns)), [VPNS[vpn] for vpn in vpns])
    left.invert_yaxis()
    finish(figure, result, path)


def draw_bars(axes, values, offset, height, **style):
    """With their figures; what failed (0) has none."""
    drawn = axes.barh([at + offset for at in range(len(values))], values, height, **style)
    axes.bar_label(drawn, [f"{value:.0f}" if value else "" for value in values], padding=2, fontsize=7)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        draw(json.load(file), pathlib.Path(sys.argv[2]))
