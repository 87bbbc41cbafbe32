# SPDX-License-Identifier: GPL-2.0
"""Tokens of Rust: enough to tell code from comments, strings and lifetimes."""

import re
from typing import NamedTuple

TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>//[^\n]*)
    | (?P<block>/\*)
    | (?P<raw>(?:b|c)?r(?P<hashes>\#*)")
    | (?P<str>(?:b|c)?"(?:[^"\\]|\\.)*")
    | (?P<char>b?'(?:[^'\\\n]|\\x[0-9a-fA-F]{2}|\\u\{[^}]*\}|\\.)')
    | (?P<lifetime>'(?:r\#)?[^\W\d]\w*)
    | (?P<ident>(?:r\#)?[^\W\d]\w*)
    | (?P<num>\d\w*(?:\.\d\w*)?)
    | (?P<punct>::|->|=>|.)
    """,
    re.X | re.S,
)
CLOSING = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    kind: str
    text: str
    line: int
    end: int  # last line


def _block_comment_end(text, at):
    depth = 0
    for m in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if m.group() == "/*" else -1
        if depth == 0:
            return m.end()
    raise ValueError("comment without end")


def lex(text):
    """Returns all tokens; comments are tokens too, white space is not."""
    tokens, at, line = [], 0, 1
    while at < len(text):
        m = TOKEN.match(text, at)
        kind, end = m.lastgroup, m.end()
        if m["block"]:
            kind, end = "comment", _block_comment_end(text, at)
        elif m["raw"]:
            kind, end = "str", text.find('"' + m["hashes"], end) + 1 + len(m["hashes"])
            if end <= at:
                raise ValueError(f"line {line}: raw string without end")
        piece = text[at:end]
        last = line + piece.count("\n")
        if kind != "space":
            tokens.append(Token(kind, piece, line, last))
        at, line = end, last
    return tokens


def code(text):
    """Returns the tokens that the compiler looks at."""
    return [t for t in lex(text) if t.kind != "comment"]


def group_end(tokens, at):
    """Returns the index after the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "punct":
            if tokens[i].text in CLOSING:
                depth += 1
            elif tokens[i].text in CLOSING.values():
                depth -= 1
                if depth == 0:
                    return i + 1
    return len(tokens)


def head_end(tokens, at, stops=("{", ";")):
    """Returns the index of the `{` or `;` that ends the head of an item."""
    i, angles = at, 0
    while i < len(tokens):
        text = tokens[i].text
        if tokens[i].kind == "punct":
            angles += (text == "<") - (text == ">")
            # A brace in angle brackets is an expression in a type: `Foo<{ N }>`.
            if text in stops and not (text == "{" and angles > 0):
                return i
            if text in CLOSING:
                i = group_end(tokens, i)
                continue
        i += 1
    return len(tokens)


def is_item_start(tokens, at):
    """Says whether `tokens[at]` (no comments among them) can begin an item."""
    return at == 0 or tokens[at - 1].text in ("{", "}", ";", "]", ")", "pub", "unsafe", "default", "=>")


def show(tokens):
    """Writes tokens the way a reader would."""
    text = " ".join(t.text for t in tokens)
    text = re.sub(r" ?(::|[<>(),;:.\[\]]) ?", r"\1", text)
    text = text.replace("::", "\0")
    return re.sub(r"([,:>])(?=[\w{'])", r"\1 ", text).replace("\0", "::")
