# SPDX-License-Identifier: GPL-2.0
"""Line coverage from what `llvm-cov export` writes, and the lines that no test reaches.

usage: coverage.py EXPORT FOLDER WANTED

llvm-cov's own report is of no use for generic functions. The crate that has one but does not call
it describes it as one region from the first line to the last, which was never entered. The tests
that call it describe it in parts, and the brace that ends it lies in none of them. The report adds
these up, so that such a brace stays a line that nothing reaches. Here a function that any test
entered is what the tests say of it.
"""

import collections
import json
import pathlib
import sys

CODE = 0


def lines(regions):
    """How often each line was reached, by the regions of one function, which may lie in each
    other: the most of what begins in the line and of the innermost one that it begins in."""
    found = {}
    for line in range(regions[0][0], max(end for _, _, end, *_ in regions) + 1):
        around = [region for region in regions if region[0] < line <= region[2]]
        counts = [region[4] for region in regions if region[0] == line]
        if around:
            counts.append(max(around)[4])
        if counts:
            found[line] = max(counts)
    return found


def functions(export, folder):
    """(file, instances) of each function: an instance is its number of calls and its regions."""
    found = collections.defaultdict(list)
    for function in export["functions"]:
        regions = sorted(region for region in function["regions"] if region[7] == CODE and region[5] == 0)
        file = pathlib.Path(function["filenames"][0])
        if regions and folder in file.parents:
            found[file, *regions[0][:2]].append((function["count"], regions))
    return ((key[0], instances) for key, instances in sorted(found.items()))


def main(export, folder, wanted):
    files = collections.defaultdict(dict)
    for file, instances in functions(export, folder):
        called = [instance for instance in instances if instance[0]]
        for _, regions in called or instances:
            for line, count in lines(regions).items():
                files[file][line] = max(files[file].get(line, 0), count)
    reached = {file: sum(map(bool, found.values())) for file, found in files.items()}
    for file, found in files.items():
        source = file.read_text(encoding="utf-8").splitlines()
        print(f"{file.relative_to(folder)}: {reached[file]} of {len(found)} lines")
        for line in sorted(line for line, count in found.items() if not count):
            print(f"  not reached: {line}: {source[line - 1].strip()}")
    percent = 100 * sum(reached.values()) / (sum(map(len, files.values())) or 1)
    print(f"result line-coverage={percent:.2f}% wanted={wanted}%")
    return int(percent < wanted)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as text:
        sys.exit(main(json.load(text)["data"][0], pathlib.Path(sys.argv[2]), float(sys.argv[3])))
