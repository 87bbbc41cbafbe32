# SPDX-License-Identifier: GPL-2.0
"""No circle of imports among the files of rust/driver.

A file points to another one when it imports from it or names it in a path. A path to a name that a
head re-exports leads to the file that has it. Circles are looked for twice: among all files, where
the head of a folder and its own files are one house; and inside each folder, with its head, where
what the head only re-exports does not count. Pairs that own each other are named in
ARCHITECTURE.md, in lines like "`device.rs` and `peer.rs` own each other": what they have of one
another does not count.
"""

import collections
import re

from checks.layering import without_tests
from lib.rustlex import code, group_end

TOP = "rust/driver"
PLAN = "ARCHITECTURE.md"
PAIR = re.compile(r"`([a-z0-9_/]+\.rs)` and `([a-z0-9_/]+\.rs)` own each other")


def modules(files):
    """The path in the crate of each file: `send/batch.rs` is ("send", "batch")."""
    return {tuple(f.removeprefix(TOP + "/").removesuffix(".rs").split("/")): f for f in files}


def use_paths(tokens, prefix=()):
    """Yields the paths of the tree of an import, as tuples of names."""
    i, path, done = 0, list(prefix), False
    while i < len(tokens):
        text = tokens[i].text
        if text == "{":
            end = group_end(tokens, i)
            yield from use_paths(tokens[i + 1:end - 1], tuple(path))
            i, done = end, True
            continue
        if text == ",":
            if not done and len(path) > len(prefix):
                yield tuple(path)
            path, done = list(prefix), False
        elif text == "as":
            i += 1
        elif text == "*" or tokens[i].kind == "ident":
            path.append(text)
        i += 1
    if not done and len(path) > len(prefix):
        yield tuple(path)


def is_reexport(tokens, i):
    """Whether the `use` at this place makes names visible elsewhere."""
    return i > 0 and tokens[i - 1].text in ("pub", ")")


def paths(tokens, children):
    """Yields (line, path, is it used here) for each import, and for each path that starts at a
    module. What is only re-exported is not used. `children` are the modules of the own folder."""
    names = collections.Counter(token.text for token in tokens if token.kind == "ident")
    i = 0
    while i < len(tokens):
        token = tokens[i]
        starts = i + 1 < len(tokens) and tokens[i + 1].text == "::" and (not i or tokens[i - 1].text not in ("::", "in"))
        if token.text == "use" and token.kind == "ident":
            end = next(j for j in range(i, len(tokens)) if tokens[j].text == ";")
            if tokens[i + 1].text != "<":
                yield from ((token.line, path, not is_reexport(tokens, i) or names[path[-1]] > 1)
                            for path in use_paths(tokens[i + 1:end]))
            i = end
        elif starts and (token.text in ("crate", "super", "self") or token.text in children):
            path, j = [token.text], i + 1
            while j + 1 < len(tokens) and tokens[j].text == "::" and tokens[j + 1].kind == "ident":
                path.append(tokens[j + 1].text)
                j += 2
            yield token.line, tuple(path), True
            i = j - 1
        i += 1


def target(path, module, known, reexports):
    """The file that a path leads to, seen from a module."""
    head = path[0]
    if head == "crate":
        at, rest = (), path[1:]
    elif head in ("super", "self"):
        at, rest = module, path
        while rest and rest[0] in ("super", "self"):
            at = at[:-1] if rest[0] == "super" else at
            rest = rest[1:]
    elif (*module, head) in known:
        at, rest = module, path
    else:
        return None
    for name in rest:
        if (*at, name) not in known:
            return reexports.get((at, name), known.get(at))
        at = (*at, name)
    return known.get(at)


def published(tree, known):
    """(module, name) -> file, for the names that heads of folders re-export from their files."""
    found = {}
    for module, file in known.items():
        tokens = without_tests(code(tree.read(file)))
        for i, token in enumerate(tokens):
            if token.text != "use" or not is_reexport(tokens, i):
                continue
            end = next(j for j in range(i, len(tokens)) if tokens[j].text == ";")
            for path in use_paths(tokens[i + 1:end]):
                to = target(path, module, known, {})
                if to and is_own(file, to):
                    found[module, path[-1]] = to
    return found


def owners(tree):
    try:
        return [frozenset(f"{TOP}/{f}" for f in pair) for pair in PAIR.findall(tree.read(PLAN))]
    except FileNotFoundError:
        return []


def is_own(one, other):
    """Whether one is the head of the folder that the other lies in."""
    return other.startswith(one.removesuffix(".rs") + "/") or one.startswith(other.removesuffix(".rs") + "/")


def graph(tree):
    """File -> {file it imports: line}; and the same without what is only re-exported."""
    known = modules(tree.rust(TOP))
    reexports = published(tree, known)
    arrows, used = {}, {}
    for module, file in known.items():
        arrows[file], used[file] = {}, {}
        children = {m[-1] for m in known if m and m[:-1] == module}
        for line, path, is_used in paths(without_tests(code(tree.read(file))), children):
            to = target(path, module, known, reexports)
            if to and to != file:
                arrows[file].setdefault(to, line)
                if is_used:
                    used[file].setdefault(to, line)
    return arrows, used


def part(arrows, wanted):
    """The arrows between two files that are wanted."""
    return {file: {to: line for to, line in out.items() if wanted(file, to)} for file, out in arrows.items()}


def circles(arrows):
    """The strongly connected components of more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(at):
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in arrows.get(at, ()):
            if to not in index:
                visit(to)
                low[at] = min(low[at], low[to])
            elif to in stack:
                low[at] = min(low[at], index[to])
        if low[at] == index[at]:
            circle = []
            while not circle or circle[-1] != at:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted(circle))

    for file in sorted(arrows):
        if file not in index:
            visit(file)
    return found


def check(tree):
    arrows, used = graph(tree)
    pairs = owners(tree)
    findings = [f"{PLAN}: {' and '.join(sorted(pair))} do not import each other"
                for pair in pairs
                if not all(b in arrows.get(a, ()) for a in pair for b in pair if a != b)]
    parts = [part(arrows, lambda a, b: frozenset((a, b)) not in pairs and not is_own(a, b))]
    for head in sorted(arrows):
        folder = {file for file in arrows if file == head or file.startswith(head.removesuffix(".rs") + "/")}
        if len(folder) > 1:
            parts.append(part(used, lambda a, b, folder=folder: {a, b} <= folder and frozenset((a, b)) not in pairs))
    found = []
    for kept in parts:
        for circle in circles(kept):
            if circle in found:
                continue
            found.append(circle)
            findings.append(f"circle of {len(circle)} files: {' '.join(f.removeprefix(TOP + '/') for f in circle)}")
            findings += [f"{file}:{line}: imports {to.removeprefix(TOP + '/')}"
                         for file in circle for to, line in sorted(kept[file].items()) if to in circle]
    return findings


A, B, C = f"{TOP}/a.rs", f"{TOP}/b.rs", f"{TOP}/c.rs"
SAMPLES = [
    ("two files", {A: "use crate::b::X;", B: "use crate::{a::Y, c};", C: ""}, "circle of 2 files: a.rs b.rs"),
    ("three files", {A: "use crate::b;", B: "use crate::{\n    c::{\n        self,\n        Z, //\n    },\n};",
                     C: "fn f() { crate::a::g() }"}, "b.rs:1: imports c.rs"),
    ("by super", {A: "use super::b::X;", B: "use super::a;"}, "circle of 2"),
    ("by a file of a folder", {A: "use crate::b;", B: "mod d;", f"{TOP}/b/d.rs": "use crate::a::Y;\nuse super::X;"}, None),
    ("through a folder", {A: "use crate::b::d::X;", B: "mod d;", f"{TOP}/b/d.rs": "use crate::a::Y;"}, "a.rs b/d.rs"),
    ("through a name that a head re-exports", {
        A: "use crate::b::X;", B: "pub(crate) use self::d::X;\nmod d;", f"{TOP}/b/d.rs": "use crate::a::Y;"}, "a.rs b/d.rs"),
    ("in a folder", {B: "mod d;\nmod e;", f"{TOP}/b/d.rs": "use super::e::X;", f"{TOP}/b/e.rs": "use super::d::Y;"},
     "circle of 2 files: b/d.rs b/e.rs"),
    ("in a folder, through its head", {B: "mod d;\nuse d::Y;", f"{TOP}/b/d.rs": "use super::X;"},
     "circle of 2 files: b.rs b/d.rs"),
    ("in a folder, by a path in its head", {B: "mod d;\nfn f() { d::g() }", f"{TOP}/b/d.rs": "use super::X;"},
     "b.rs:2: imports b/d.rs"),
    ("in a folder, a name that its head re-exports", {
        B: "mod d;\npub(crate) use d::Y;", f"{TOP}/b/d.rs": "use super::X;"}, None),
    ("in a folder, a name that its head re-exports and uses", {
        B: "mod d;\npub(crate) use d::Y;\nstruct Z(Y);", f"{TOP}/b/d.rs": "use super::Z;"}, "circle of 2"),
    ("in a folder, a visibility", {B: "mod d;\nuse d::Y;", f"{TOP}/b/d.rs": "pub(in crate::b) struct Y;"}, None),
    ("in a folder, a pair", {
        PLAN: "`b.rs` and `b/d.rs` own each other", B: "mod d;\nuse d::Y;", f"{TOP}/b/d.rs": "use super::X;"}, None),
    ("a pair that is none", {PLAN: "`a.rs` and `b.rs` own each other", A: "use crate::b;", B: ""}, "do not import"),
    ("a pair in a larger circle", {PLAN: "`a.rs` and `b.rs` own each other", A: "use crate::b;",
                                   B: "use crate::{a, c};", C: "use crate::a;"}, None),
    ("a pair and a circle", {PLAN: "`a.rs` and `b.rs` own each other", A: "use crate::{b, c};",
                             B: "use crate::a;", C: "use crate::a;"}, "a.rs c.rs"),
    ("clean", {PLAN: "* `a.rs` and `b.rs` own each other: why", A: "use crate::b::X; use kernel::c;",
               B: "use crate::a; // use crate::c;\n", C: "use crate::{a, b as x};"}, None),
]
