#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares two kernel sources where the driver depends on them, against docs/follow.tsv.

usage: follow.py [--show] OLD NEW       lists the changes; status 1 if one is open
       follow.py --adopt OLD NEW NAME   notes NEW as followed under NAME; refuses while a change is open
       follow.py --check TREE           status 1 if TREE is not the source that was followed last
       follow.py --files                prints the patterns of the files

Each function is compared alone, without its comments and spaces, so that a change keeps its number
in later versions, wherever the function moves.
"""

import difflib
import hashlib
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).resolve().parents[2] / "docs/follow.tsv"
STATES = ("taken", "not needed", "open")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
NAME = re.compile(r"(?:struct|union|enum)\s+(\w+)\s*\{|#\s*define\s+(\w+)|(\w+)\s*[\[(]|(\w+)\s*[=;]")
DECORATION = re.compile(r"^(EXPORT_\w+|MODULE_\w+)\b")


class Table:
    """docs/follow.tsv: rows "file", "change" and "followed"."""

    def __init__(self, text):
        self.files, self.changes, self.followed = [], {}, None
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            kind, *rest = line.split("\t")
            where = f"docs/follow.tsv:{number}"
            if kind == "file" and len(rest) == 3:
                self.files.append((rest[0], re.compile(rest[1])))
            elif kind == "followed" and len(rest) == 2:
                self.followed = rest
            elif kind == "change" and len(rest) == 4:
                if rest[2] not in STATES:
                    sys.exit(f"error: {where}: the state is one of: {', '.join(STATES)}")
                if rest[2] != "open" and not rest[3]:
                    sys.exit(f"error: {where}: the last column must say where the change was taken, or why "
                             "it is not needed")
                self.changes[rest[0]] = (rest[2], rest[3])
            else:
                sys.exit(f"error: {where}: no row of this table (see its first lines)")


def name_of(chunk):
    """The function, type or macro that a piece of code at the top level is."""
    code = [line for line in chunk if not line.startswith("#")]
    for line in code + [line for line in chunk if line.startswith("#define")]:
        found = NAME.search(line)
        if found and not line[:1].isspace() and not DECORATION.match(line) and line[0] != "}":
            return next(filter(None, found.groups()))
    return "(top)"


def pieces(text):
    """Returns {name: lines} of a file."""
    found, chunk, body = {}, [], False

    def close():
        if chunk:
            found.setdefault(name_of(chunk), []).extend(chunk)
            chunk.clear()

    for line in COMMENT.sub("", text).splitlines():
        line = re.sub(r"\s+", " ", line).rstrip() if line[:1].isspace() else line.rstrip()
        if not line.strip():
            if not body:
                close()
            continue
        chunk.append(line)
        if line.startswith("}"):
            body = False
            close()
        elif line.endswith("{") and not line[:1].isspace():
            body = True
    close()
    return found


def changed(old, new):
    """Returns the lines that differ, with their signs."""
    return [line for line in difflib.unified_diff(old, new, lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))]


def matching(tree, pattern):
    return {str(path.relative_to(tree)) for path in tree.glob(pattern) if path.is_file()}


def read(tree, path):
    file = tree / path
    return pieces(file.read_text(errors="replace")) if file.is_file() else {}


def changes(table, old, new):
    """Yields (number, "file: function", lines) of all that is followed and differs."""
    for pattern, functions in table.files:
        for path in sorted(matching(old, pattern) | matching(new, pattern)):
            before, after = read(old, path), read(new, path)
            for name in dict.fromkeys([*after, *before]):
                lines = changed(before.get(name, []), after.get(name, []))
                if lines and functions.fullmatch(name):
                    text = "\n".join([path, name, *lines])
                    yield hashlib.sha256(text.encode()).hexdigest()[:8], f"{path}: {name}", lines


def fingerprint(table, tree):
    """The number of all that is followed in a source."""
    digest = hashlib.sha256()
    for pattern, functions in table.files:
        for path in sorted(matching(tree, pattern)):
            for name, lines in sorted(read(tree, path).items()):
                if functions.fullmatch(name):
                    digest.update("\n".join([path, name, *lines, ""]).encode())
    return digest.hexdigest()[:16]


def tree_of(name):
    tree = pathlib.Path(name)
    if not (tree / "drivers/net/wireguard/main.c").is_file():
        sys.exit(f"error: {name} is no kernel source: it has no drivers/net/wireguard/main.c")
    return tree


def compare(table, old, new, show):
    """Prints each change with its state, and returns how many are open."""
    count = dict.fromkeys(STATES, 0)
    for number, where, lines in changes(table, old, new):
        state, note = table.changes.get(number, ("open", ""))
        count[state] += 1
        print(f"{state:<10} {number} {where}" + (f" ({note})" if note else ""))
        if show or number not in table.changes:
            print("\n".join(f"    {line}" for line in lines))
    print(", ".join(f"{number} {state}" for state, number in count.items()))
    return count["open"]


def adopt(table, old, new, name):
    if compare(table, old, new, False):
        sys.exit("error: changes are open: give each of them a row in docs/follow.tsv that says "
                 "where it was taken or why it is not needed")
    text = TABLE.read_text()
    row = f"followed\t{name}\t{fingerprint(table, new)}"
    text, found = re.subn(r"(?m)^followed\t.*$", row, text)
    TABLE.write_text(text if found else f"{text}{row}\n")
    print(f"docs/follow.tsv says now that {name} was followed")


def check(table, tree):
    if not table.followed:
        sys.exit('error: docs/follow.tsv has no row "followed" with a kernel version')
    name, number = table.followed
    if fingerprint(table, tree) != number:
        sys.exit(f"error: the kernel source differs from {name} where the driver depends on it: "
                 f"tools/follow.sh {name} NEW lists the changes")


def main(arguments):
    table = Table(TABLE.read_text())
    match arguments:
        case ["--files"]:
            print("\n".join(pattern for pattern, _ in table.files))
        case ["--check", tree]:
            check(table, tree_of(tree))
        case ["--adopt", old, new, name]:
            adopt(table, tree_of(old), tree_of(new), name)
        case ["--show", old, new]:
            return compare(table, tree_of(old), tree_of(new), True) > 0
        case [old, new] if not old.startswith("-"):
            return compare(table, tree_of(old), tree_of(new), False) > 0
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
