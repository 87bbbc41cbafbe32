# SPDX-License-Identifier: GPL-2.0
"""rust/kernel and rust/helpers do not know what they are used for, and prose is plain.

They wrap the kernel's interfaces; a word of the protocol there says that protocol has
leaked in. Comments and strings count as well. words.allow has the exceptions.

Comments of Rust, C, Python and shell, YAML and Markdown have none of the phrases that kernel
developers stumble over. The module's Rust has at most 100 columns, tables of comments and lines
with strings aside, and so have comments of C, Python and shell and docstrings; a tab counts as
eight. tools/setup and the script that builds debug kernels are exempt: caches are keyed by them.
"""

import fnmatch
import re

from lib.comments import NAMES, paragraphs, prose
from lib.tree import Allowed

# Singular; a plural `s` is taken off. Pairs are words that stand side by side.
WORDS = {
    "wireguard", "wg", "peer", "handshake", "keypair", "noise", "allowedip", "cookie", "session",
    "psk", "preshared", "initiator", "responder", "initiation", "rekey", "keepalive",
    "mac1", "mac2", "tai64n", "cryptokey", "roaming", "ratelimiter",
}
PAIRS = {("wire", "guard"), ("allowed", "ip"), ("key", "pair"), ("under", "load"), ("hand", "shake")}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
PART = re.compile(r"[A-Z]{2,}s?(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*n?|[A-Z]|[0-9]+")

# Phrase -> what to write instead.
PHRASES = {
    # With a capital it begins a sentence, wherever it stands.
    re.compile(r"\bWho\b(?![^.]*\?)|\b[Ww]hoever\b"): "name the actor",
    re.compile(r"[:;,] who (?:\w+ ){1,3}(?:has|have|is|are)\b"): "name the actor",
    re.compile(r"\b[Ss]o many\b"): "that many, or the number's name",
    re.compile(r"\b(?:is|are) told\b"): "say who tells, or what happens",
    re.compile(r"\bfor want of\b"): "without",
    re.compile(r"\bhad better\b"): "should",
    re.compile(r"\bbut for\b"): "except, without",
}
COLUMNS = 100
# What programs read, and how a script is called.
DIRECTIVE = re.compile(r"(?:usage|shellcheck|vm|limit|when|needs|boot|log|entry)\b[^.]*?[:=]|SPDX-")
# Tables and pictures, and further lines of a usage.
INDENTED = re.compile(r"\s*#(?:\t|\s{2})")
USAGE = re.compile(r"\s{5}")


def parts(name):
    """Splits a name the way it is read: `PeerTable`, `peer_table` → peer, table."""
    words = [w.lower() for w in PART.findall(name)]
    return [w[:-1] if w.endswith("s") and len(w) > 2 else w for w in words]


def check_text(text):
    """Yields (line, name, word)."""
    for number, line in enumerate(text.split("\n"), 1):
        before = None
        for match in NAME.finditer(line):
            for part in parts(match.group()):
                if part in WORDS:
                    yield number, match.group(), part
                if (before, part) in PAIRS:
                    yield number, match.group(), f"{before} {part}"
                before = part


def check_prose(tree, is_allowed):
    for path in tree.files(name=NAMES):
        for text, line_of in paragraphs(prose(path, tree.read(path))):
            for phrase, better in PHRASES.items():
                for match in phrase.finditer(text):
                    if not is_allowed(path, match.group(), match.group().lower()):
                        yield f"{path}:{line_of(match.start())}: {match.group()!r}: {better}"


def check_columns(tree):
    for path in tree.rust("rust"):
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            if len(line) > COLUMNS and '"' not in line and not re.match(r"\s*//[/!]? \|", line):
                yield f"{path}:{number}: {len(line)} columns"
    for path in tree.files(name=NAMES):
        if fnmatch.fnmatch(path, "tools/setup/*") or path == "tools/debug/build-kernel.sh":
            continue
        text = tree.read(path)
        if not path.endswith((".rs", ".md", ".yaml")):
            for number, width in too_wide(text.split("\n"), prose(path, text)):
                yield f"{path}:{number}: {width} columns"


def too_wide(lines, comments):
    """Yields (number, width) of whole lines of prose beyond the limit."""
    usage = False
    for number, text in comments:
        line = lines[number - 1]
        width = len(line.expandtabs(8))
        usage = text.startswith("usage:") or usage and bool(text)
        is_whole = text and len(line.strip()) - len(text) < 8
        if width > COLUMNS and is_whole and not (DIRECTIVE.match(text) or INDENTED.match(line)
                                                 or usage and USAGE.match(line)):
            yield number, width


def check(tree):
    allowed = Allowed(tree, "words.allow", fields=4)

    def is_allowed(path, name, word):
        return allowed.covers(lambda where, what, which: which == word and fnmatch.fnmatch(path, where)
                              and fnmatch.fnmatchcase(name, what))

    findings = []
    for path in tree.files("rust/kernel", "rust/helpers", name=r"\.(rs|c|h)$"):
        for line, name, word in check_text(tree.read(path)):
            if not is_allowed(path, name, word):
                findings.append(f"{path}:{line}: {word!r} in {name!r}")
    findings += check_prose(tree, is_allowed)
    return [*findings, *allowed.findings(), *check_columns(tree)]


K = "rust/kernel/a.rs"
SAMPLES = [
    ("a type", {K: "struct PeerTable;"}, "'peer'"),
    ("a plural", {K: "fn all_peers() {}"}, "'peer'"),
    ("a constant", {K: "const MAX_KEYPAIRS: u8 = 1;"}, "'keypair'"),
    ("a comment", {K: "// After the Noise handshake."}, "'handshake'"),
    ("a string", {K: 'f("WireGuard")'}, "'wire guard' in 'WireGuard'"),
    ("two words", {K: "/// Looks allowed IPs up."}, "'allowed ip'"),
    ("C", {"rust/helpers/a.c": "int wg_helper_peer(void);"}, "'peer'"),
    ("a prefix", {"rust/helpers/a.c": "int wg_foo(void);"}, "'wg'"),
    ("a word behind the prefix",
     {"rust/helpers/a.c": "int wg_helper_peer(void);", "words.allow": "* | wg_helper_* | wg | prefix"}, "'peer'"),
    ("an exception without a use", {"words.allow": "* | nothing | wg | reason"}, "nothing needs"),
    ("an actor without a name", {"rust/driver/a.rs": "//! Sends. Who asks\n//! waits."}, "'Who': name"),
    ("an actor that asks", {"rust/driver/a.rs": "//! A count: who adds to it is right.\n"}, "name the actor"),
    ("over the end of a line", {"rust/driver/a.rs": "// There are so\nfn f() {}\n/// At most so\n/// many."},
     "a.rs:3: 'so many'"),
    ("in a document", {"docs/a.md": "Timers\n\n* and the peer\n  is told.\n"}, "a.md:4: 'is told'"),
    ("in shell", {"tools/a.sh": "#!/bin/bash\n# limit: 150\n# Who sends waits.\n"}, "a.sh:3: 'Who': name"),
    ("in shell, over the end of a line", {"tools/a.sh": "f() { # sends so\n\t# many datagrams\n}\n"}, "a.sh:1: 'so many'"),
    ("in a script without an ending", {"tools/a": "#!/usr/bin/env bash\n# All but for one.\n"}, "a:2: 'but for'"),
    ("in a docstring", {"selftests/a.py": 'def f():\n    """Reads.\n\n    So many bytes."""\n'}, "a.py:4: 'So many'"),
    ("in a comment of Python", {"selftests/a.py": "f()  # to whoever\n"}, "a.py:1: 'whoever'"),
    ("in YAML", {"docs/a.yaml": "name: a\ndoc: >-\n  The peer\n  is told.\n"}, "a.yaml:4: 'is told'"),
    ("in Rust outside of rust", {"tools/a/src/a.rs": "//! Waits for want of work."}, "a.rs:1: 'for want of'"),
    ("in C", {"tools/a.c": "/*\n * Sends so many.\n */\n"}, "a.c:2: 'so many'"),
    ("an exception for another file",
     {"tools/a.sh": "# So many.", "words.allow": "tools/b.sh | * | so many | reason"}, "a.sh:1: 'So many'"),
    ("a long comment", {"tools/a.sh": "f() {\n\t# " + "a" * 91 + "\n}\n"}, "a.sh:2: 101 columns"),
    ("with a choice", {"tools/a.sh": "# f a|b: " + "a" * 99 + "\n"}, "a.sh:1: 108 columns"),
    ("a long docstring", {"tools/a.py": '"""One.\n\n' + "a" * 101 + '\n"""\n'}, "a.py:3: 101 columns"),
    ("a long comment of C", {"tools/a.c": "/*\n *\tlist " + "a" * 91 + "\n */\n"}, "a.c:2: 104 columns"),
    ("a long line", {"rust/proto/a.rs": "fn f() {" + " " * 100 + "}"}, "a.rs:1: 109 columns"),
    ("clean", {
        "tools/a.sh": "# At most so\nf $# x#so 'so many'\n# many. See who waits. #\n# Who? You.\n# All but one. But for each.\n",
        "tools/b.sh": "# So many.\n",
        "tools/b.py": "x = ['a',\n     'so many']\nf('is told')  # peers have so\nx = 1  # many\n",
        "tools/c.py": '"""One.\n\nusage: a b   ' + "a" * 99 + "\n       a c   " + "a" * 99 + '\n"""\n'
                      "f('" + "a" * 80 + "')  # a comment behind code\n",
        "tools/c.sh": "# usage: c.sh " + "a" * 99 + "\n#    " + "a" * 99 + "\n# needs: " + "a" * 99 + "\n",
        "tools/data": "so many # so many\n",
        "docs/b.md": "The person who asks: who?\n\nWho may read this? You.",
        "rust/driver/b.rs": "// See who waits.\nconst S: &str = \"" + "Whoever " * 20 + "\";\n//! | " + "a" * 99,
        K: "// getpeername, speer, appear, unsessioned\nuse wg_bindings as bindings; struct Swg;",
        "rust/helpers/a.c": "int wg_helper_x(void);",
        "rust/proto/a.rs": "struct Peer;",
        "words.allow": "rust/helpers/*.c | wg_helper_* | wg | prefix\nrust/kernel/* | wg_bindings | wg | crate\n"
                       "tools/b.sh | * | so many | reason",
    }, None),
]
