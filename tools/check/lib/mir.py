# SPDX-License-Identifier: GPL-2.0
"""MIR as rustc prints it: bodies of functions, and what their statements and terminators say."""

import re
from typing import NamedTuple

LOCAL = re.compile(r"_\d+")
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\[^\']+)\'')
AT = re.compile(r"\s+// (?:in |return place in )?scope \d+ at (?:(.*?):(\d+):\d+: \d+:\d+|no-location)$")
HEAD = re.compile(r"^fn (.+) \{$")
NAME = re.compile(r"^ +debug (\w+) => (_\d+);$")
LET = re.compile(r"^ +let (?:mut )?(_\d+): (.+);$")
BLOCK = re.compile(r"^    bb(\d+)(?: \(cleanup\))?: \{$")
EDGE = re.compile(r"(\w+): bb(\d+)")
OPENING, CLOSING = "([{<", ")]}>"


class Line(NamedTuple):
    """A statement or terminator, without its semicolon, and where it is from."""

    text: str
    file: str
    line: int


class Body(NamedTuple):
    """A function: its name, the types of its locals (texts), and the lines of each block, the
    terminator last.

    `variables` has the names that locals have in the source.
    """

    name: str
    locals: dict
    variables: dict
    blocks: dict


def cut(text, mark=","):
    """Splits a text at marks that are in no brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in OPENING:
            depth += 1
        elif char in CLOSING and text[at - 1:at + 1] not in ("->", "=>"):
            depth -= 1
        elif depth == 0 and text.startswith(mark, at):
            parts.append(text[start:at].strip())
            start = at + len(mark)
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def path(text):
    """The words of a function's path, without generic arguments."""
    return [word for word in cut(text, "::") if not re.match(r"<(?!impl )(?!.* as )", word)]


def last_group(text):
    """Splits `f(a, b)` before the bracket that its last one closes."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        if text[at] in ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if depth == 0:
                return text[:at], text[at + 1:-1]
    return text, ""


def _head(text):
    """The name, types of arguments, and type of the result, of `name(_1: A, _2: B) -> C`."""
    start = text.find("(_1: ") if "(_1: " in text else text.index("() -> ")
    name, text = text[:start], text[start:]
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            break
    return name, [arg.partition(": ")[2] for arg in cut(text[1:at])], text[at + 1:].removeprefix(" -> ")


def bodies(text, wanted):
    """Reads the functions whose text `wanted` matches; constants and statics are none."""
    for part in text.split("\n}\n"):
        if wanted.search(part) and (start := re.search(r"^fn .+ \{$", part, re.M)):
            yield _body(part[start.start():].splitlines())


def _body(lines):
    name, args, result = _head(HEAD.match(lines[0])[1])
    body = Body(name, {"_0": result, **{f"_{n}": arg for n, arg in enumerate(args, 1)}}, {}, {})
    block = None
    for line in lines[1:]:
        if line.lstrip().startswith("//"):
            continue
        at = AT.search(line)
        plain = LITERAL.sub('""', line[:at.start()] if at else line)
        if match := BLOCK.match(plain):
            block = body.blocks.setdefault(int(match[1]), [])
        elif block is not None and plain.endswith(";"):
            block.append(Line(plain.strip()[:-1], at[1] if at else None, int(at[2] or 0) if at else 0))
        elif match := LET.match(plain):
            body.locals[match[1]] = match[2]
        elif match := NAME.match(plain):
            body.variables[match[2]] = match[1]
    return body


def edges(terminator):
    """The pairs of label and block that a terminator leads to, unwinding aside."""
    if terminator.startswith("goto -> bb"):
        return [("return", int(terminator[len("goto -> bb"):]))]
    _, _, targets = terminator.rpartition(" -> ")
    return [(label, int(block)) for label, block in EDGE.findall(targets) if label != "unwind"]


def call(text):
    """The destination, function and arguments of a call, or nothing."""
    if " = " not in text or not re.search(r"\) -> (\[return|unwind)", text):
        return None
    left, _, _ = text.rpartition(" -> ")
    target, _, rest = left.partition(" = ")
    function, args = last_group(rest)
    return target, function, cut(args)


def place(text):
    """Writes a place shortly, `((_1 as Some).0: T)` as `_1@Some.0`; also returns the type that it
    names, if any."""
    text = text.strip()
    if text.endswith("]") and not text.startswith("["):
        return place(text[:text.rindex("[")])[0] + "[]", None
    if not text.startswith("("):
        return text, None
    inner = text[1:-1]
    if inner.startswith("*"):
        return f"(*{place(inner[1:])[0]})", None
    end = _end(inner)
    base, rest = place(inner[:end])[0], inner[end:]
    if rest.startswith(" as "):
        return f"{base}@{rest[4:]}", None
    field, _, kind = rest[1:].partition(": ")
    return f"{base}.{field}", kind


def _end(text):
    """Where the place that a text begins with ends."""
    at = LOCAL.match(text).end() if text.startswith("_") else 0
    if not at:
        depth = 0
        for at, char in enumerate(text):
            depth += (char == "(") - (char == ")")
            if depth == 0:
                break
        at += 1
    while text[at:at + 1] == "[":
        at = text.index("]", at) + 1
    return at
