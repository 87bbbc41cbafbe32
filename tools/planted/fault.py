#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads the faults in tools/planted/faults. Each file describes one change for the worse that a
test must find.

usage: fault.py check CHECKOUT          one line for each fault that has lost its place or names no test
       fault.py list CHECKOUT [WORD…]   NAME, tab, TEST, tab, SAYS, tab, BREAKS of each fault; a word is a
                                        fault's name or a kind of test
       fault.py plant CHECKOUT NAME     makes the change in that checkout

docs/testing.md describes the format.
"""

import pathlib
import sys
import tomllib

FOLDER = "tools/planted/faults"

# Kinds of tests, each with the files that a name after it may stand for; None: it takes no names.
KINDS = {
    "selftest": ("selftests/*/{}.sh",),
    "um": ("selftests/*/{}.sh",),
    "x86": ("selftests/*/{}.sh",),
    "host": ("tools/host/tests/{}.rs",),
    "model": ("tools/models/src/models/{}.rs", "tools/models/kext/src/models/{}.rs"),
    "check": ("tools/check/checks/{}.py",),
    "diff": None,
    "paths": (),
}

KEYS = {"breaks": str, "test": str, "says": str, "change": list}
OPTIONAL = {"says"}
CHANGE_KEYS = {"file", "old", "new"}


class Bad(Exception):
    """What is wrong with a fault, in words for its author."""


def read(path):
    """Returns the fault in `path`. Raises Bad when the file is not a whole one."""
    try:
        fault = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Bad(f"is no TOML: {error}") from error
    for key, kind in KEYS.items():
        if key not in fault and key not in OPTIONAL:
            raise Bad(f"lacks '{key}'")
        if key in fault and (not isinstance(fault[key], kind) or not fault[key]):
            raise Bad(f"'{key}' must be a non-empty {kind.__name__}")
    if unknown := sorted(fault.keys() - KEYS.keys()):
        raise Bad(f"has the unknown key '{unknown[0]}'")
    for change in fault["change"]:
        if change.keys() != CHANGE_KEYS or not all(isinstance(value, str) for value in change.values()):
            raise Bad("each [[change]] has the strings 'file', 'old' and 'new'")
    return fault


def changed(checkout, fault):
    """Returns the new text of each file that the fault changes. Raises Bad where an old text has no
    unique place."""
    texts = {}
    for change in fault["change"]:
        name = change["file"]
        if name not in texts:
            path = pathlib.Path(checkout, name)
            if not path.is_file():
                raise Bad(f"there is no {name}")
            texts[name] = path.read_text(encoding="utf-8")
        count = texts[name].count(change["old"]) if change["old"] else 0
        first = next(filter(None, map(str.strip, change["old"].splitlines())), "")
        if count != 1:
            raise Bad(f"the old text occurs {count} times in {name}, not once: {first}")
        if change["old"] == change["new"]:
            raise Bad(f"changes nothing in {name}: {first}")
        texts[name] = texts[name].replace(change["old"], change["new"])
    return texts


def check_test(checkout, test):
    """Raises Bad where the test that must turn red does not exist."""
    kind, *names = test.split()
    if kind not in KINDS:
        raise Bad(f"unknown kind of test '{kind}' ({', '.join(KINDS)})")
    patterns = KINDS[kind]
    if patterns is None and names:
        raise Bad(f"'{kind}' takes no names")
    if patterns is not None and not names:
        raise Bad(f"'{kind}' needs the name of a test")
    for name in names:
        if patterns and not any(any(pathlib.Path(checkout).glob(pattern.format(name))) for pattern in patterns):
            raise Bad(f"there is no test '{kind} {name}'")


def files(checkout):
    return sorted(pathlib.Path(checkout, FOLDER).glob("*.toml"))


def check(checkout):
    findings = []
    for path in files(checkout):
        try:
            fault = read(path)
            changed(checkout, fault)
            check_test(checkout, fault["test"])
        except Bad as why:
            findings.append(f"{FOLDER}/{path.name}: {why}")
    return findings


def chosen(checkout, words):
    """Yields the name and the fault of all that a word names; without words, of all."""
    known = {path.stem: read(path) for path in files(checkout)}
    for word in words:
        if word not in known and word not in KINDS:
            raise Bad(f"there is no fault '{word}'; there are: {' '.join(known)}")
    for name, fault in known.items():
        if not words or name in words or fault["test"].split()[0] in words:
            yield name, fault


def main(command, checkout, *words):
    if command == "check":
        findings = check(checkout)
        print(*findings, sep="\n", end="\n" if findings else "")
        return 1 if findings else 0
    try:
        if command == "list":
            for name, fault in chosen(checkout, words):
                print(name, fault["test"], fault.get("says", ""), fault["breaks"], sep="\t")
        else:
            fault = read(pathlib.Path(checkout, FOLDER, f"{words[0]}.toml"))
            for name, text in changed(checkout, fault).items():
                pathlib.Path(checkout, name).write_text(text, encoding="utf-8")
    except Bad as why:
        return f"error: {why}"
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "list", "plant"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
