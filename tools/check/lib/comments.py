# SPDX-License-Identifier: GPL-2.0
"""What a file says to its readers: (line, text) of comments, or of all lines where the file is
text.

An empty text ends a paragraph, as does a line that is missing.
"""

import io
import re
import tokenize

from lib.rustlex import lex

HASH = re.compile(r"(.*?)(?:^|(?<=\s))#+!?(?:\s+(.*)|$)")
# What a docstring comes after: nothing, or the end of a statement.
BEFORE_DOCSTRING = {None, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def of_rust(text):
    """Comments of Rust, and of C."""
    for token in lex(text):
        if token.kind == "comment":
            for offset, line in enumerate(token.text.split("\n")):
                yield token.line + offset, line.strip().lstrip("/!* ").rstrip()


def of_python(text):
    """Comments and docstrings."""
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_docstring = token.type == tokenize.STRING and before in BEFORE_DOCSTRING
        if token.type == tokenize.COMMENT or is_docstring:
            at = token.start[0]
            if is_docstring or token.line[:token.start[1]].strip():
                yield at, ""
            for offset, line in enumerate(token.string.split("\n")):
                yield at + offset, line.strip().strip('"#! ')
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type


def of_shell(text):
    """Comments that `#` begins, those in here-documents as well."""
    for number, line in enumerate(text.split("\n"), 1):
        match = HASH.match(line)
        if match:
            if match[1].strip():
                yield number, ""
            yield number, (match[2] or "").strip()


def of_text(text):
    """All lines."""
    return enumerate(map(str.strip, text.split("\n")), 1)


BY_ENDING = {"rs": of_rust, "c": of_rust, "h": of_rust, "py": of_python, "sh": of_shell, "yaml": of_text, "md": of_text}
# Those, and scripts without an ending.
NAMES = rf"(^|/)[^./][^/]*\.({'|'.join(BY_ENDING)})$|(^|/)[^./]+$"


def prose(path, text):
    """Returns (line, text) of a file, by its ending or by what its first line says runs it."""
    name = path.rsplit("/", 1)[-1]
    if "." in name:
        reader = BY_ENDING.get(name.rsplit(".", 1)[-1])
    elif text.startswith("#!"):
        reader = of_python if "python" in text.split("\n", 1)[0] else of_shell
    else:
        reader = None
    return reader(text) if reader else ()


def paragraphs(lines):
    """Joins them to paragraphs: yields (text, line_of), which returns the line of a place in the
    text."""
    found, last = [], None
    for number, text in [*lines, (0, "")]:
        if found and (not text or number != last + 1):
            yield joined(found)
            found = []
        if text:
            found.append((number, text))
        last = number


def joined(lines):
    """As paragraphs, for the lines of one."""
    def line_of(place):
        for number, text in lines:
            place -= len(text) + 1
            if place < 0:
                return number
        return lines[-1][0]

    return " ".join(text for _, text in lines), line_of
