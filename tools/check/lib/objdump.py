# SPDX-License-Identifier: GPL-2.0
"""Which function of an object refers to which symbol, and from which source line."""

import re
import subprocess
from collections import defaultdict
from typing import NamedTuple

SECTION = re.compile(r"^Disassembly of section (\S+):$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
RELOCATION = re.compile(r"^\s+([0-9a-f]+): R_\w+\s+(.+?)(?:[-+]0x[0-9a-f]+)?$")
# Calls inside one section need no relocation.
TARGET = re.compile(r"^\s*([0-9a-f]+):\t.*?[0-9a-f]+ <(.+?)(?:\+0x[0-9a-f]+)?>$")
HASH = re.compile(r"\[[0-9a-f]{10,16}\]")


class Site(NamedTuple):
    """One reference in the code."""

    section: str
    address: int
    function: str


def references(text):
    """Returns, for each symbol, where code refers to it; `text` is of objdump and c++filt."""
    found, section, function = defaultdict(list), "", ""
    for line in HASH.sub("", text).splitlines():
        if match := SECTION.match(line):
            section = match[1]
        elif match := FUNCTION.match(line):
            function = match[1]
        elif match := RELOCATION.match(line) or TARGET.match(line):
            if match[2] != function:
                found[match[2]].append(Site(section, int(match[1], 16), function))
    return found


def disassemble(path):
    run = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(path)],
                         capture_output=True, text=True, check=True)
    return subprocess.run(["c++filt"], input=run.stdout, capture_output=True, text=True, check=True).stdout


class Frame(NamedTuple):
    """A function that was inlined at some place, and where; innermost first."""

    function: str
    file: str
    line: str


def frames(path, site):
    """Returns the frames of a site, from the debug information."""
    run = subprocess.run(
        ["addr2line", "-f", "-i", "-C", "-j", site.section, "-e", str(path), hex(site.address)],
        capture_output=True, text=True, check=True)
    lines = HASH.sub("", run.stdout).splitlines()
    found = []
    for function, place in zip(lines[::2], lines[1::2]):
        file, _, line = place.split(" (")[0].rpartition(":")
        found.append(Frame(function, file, line))
    return found
