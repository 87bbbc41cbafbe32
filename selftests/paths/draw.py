# SPDX-License-Identifier: GPL-2.0
"""The results of tools/test/paths.sh as a page and a picture: docs/paths.md, below its mark, and
docs/paths.svg.

usage: draw.py DOCS COMMIT RESULT.JSON…     (of parts of the matrix, all of them on that commit)
"""

import json
import pathlib
import re
import sys

import matplotlib

MARK = "<!-- selftests/paths/draw.py writes what follows -->\n"
ENTRIES = pathlib.Path(__file__).parent / "entries"
# The columns: which kinds of traffic stand for them, by their keys in judge.py.
COLUMNS = {"TCP": r"tcp", "UDP": r"udp\d*", "requests": r"(echo|burst).*"}
COLOURS = {"TCP": "#1f6f8b", "UDP": "#e08e45", "requests": "#9aa5b1"}


def entries():
    """Name and text of each entry, by file."""
    groups = {}
    for path in sorted(ENTRIES.glob("*.sh")):
        found = re.findall(r"^# entry: ([^\s:]+)[^:\n]*(?:: *(.*))?$", path.read_text(encoding="utf-8"), re.M)
        groups[path.stem] = dict(found)
    return groups


def cells(result):
    """The ratio of each column, where there is one."""
    found = {}
    for column, pattern in COLUMNS.items():
        ratios = [value["ratio"] for kind, value in result["ratios"].items() if re.fullmatch(pattern, kind)]
        if ratios:
            found[column] = min(ratios)
    return found


def lines(groups, results):
    """The tables, one for each file of entries."""
    for group, names in groups.items():
        if not any(name in results for name in names):
            continue
        yield f"\n## {group.capitalize()}\n"
        yield f"| entry | {' | '.join(COLUMNS)} | result | what it is |"
        yield f"|---|{'---|' * len(COLUMNS)}---|---|"
        for name, text in names.items():
            if name not in results:
                yield f"| `{name}` |{' |' * len(COLUMNS)} not run | {text} |"
                continue
            ratios = cells(results[name])
            columns = [f"{ratios[column]:.2f}" if column in ratios else "" for column in COLUMNS]
            verdict = "; ".join(results[name]["red"]) or "ok"
            yield f"| `{name}` | {' | '.join(columns)} | {verdict} | {text} |"


def draw(groups, results, path, commit):
    """A dot for each ratio."""
    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "paths", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel

    names = [name for group in groups.values() for name in group if name in results and cells(results[name])]
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.16 * len(names)), layout="constrained")
    for column, colour in COLOURS.items():
        dots = [(cells(results[name])[column], at) for at, name in enumerate(names) if column in cells(results[name])]
        if dots:
            axes.scatter(*zip(*dots), s=14, color=colour, label=column)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names), -1)
    axes.grid(axis="y", linewidth=0.3)
    axes.set_xlabel("C module = 1; further right is better")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", frameon=False)
    figure.suptitle(f"Throughput by path, instruction-counted, commit {commit}")
    figure.savefig(path, metadata={"Date": None})


def main(docs, commit, *files):
    results = {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            results.update(json.load(file))
    groups = entries()
    page = pathlib.Path(docs, "paths.md")
    head = page.read_text(encoding="utf-8").partition(MARK)[0]
    red = sum(bool(result["red"]) for result in results.values())
    count = f"Commit {commit}: {len(results) - red} entries passed, {red} failed.\n"
    page.write_text(head + MARK + "\n" + count + "\n".join(lines(groups, results)) + "\n", encoding="utf-8")
    draw(groups, results, pathlib.Path(docs, "paths.svg"), commit)


if __name__ == "__main__":
    main(*sys.argv[1:])
