# SPDX-License-Identifier: GPL-2.0
"""rust/kernel and rust/helpers do not know what they are used for, and prose is plain.

They wrap the kernel's interfaces; a word of the protocol there says that protocol has
leaked in. Comments and strings count as well. words.allow has the exceptions.

Comments of Rust and Markdown have none of the phrases that kernel developers stumble over,
and Rust has at most 100 columns, tables of comments and lines with strings aside.
"""

import fnmatch
import re

from lib.rustlex import lex
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
    re.compile(r"(?:^|(?<=[.!?;:(] ))Who(?:ever)?\b(?![^.]*\?)|\b[Ww]hoever\b"): "name the actor",
    re.compile(r"\bso many\b"): "that many, or the number's name",
    re.compile(r"\b(?:is|are) told\b"): "say who tells, or what happens",
    re.compile(r"\bfor want of\b"): "without",
    re.compile(r"\bhad better\b"): "should",
}
COLUMNS = 100


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


def paragraphs(lines):
    """Joins (line, text) to paragraphs: a phrase may go over the end of a line."""
    start, words, last = 0, [], None
    for number, text in [*lines, (0, "")]:
        if words and (not text or number != last + 1):
            yield start, " ".join(words)
            words = []
        if text:
            start = start if words else number
            words.append(text)
        last = number


def comments(text):
    """Yields (line, text) of the comments of a Rust file."""
    for token in lex(text):
        if token.kind == "comment":
            for offset, line in enumerate(token.text.split("\n")):
                yield token.line + offset, line.strip().lstrip("/!* ").rstrip()


def check_prose(tree):
    for path in [*tree.rust("rust"), *tree.files(name=r"\.md$")]:
        text = tree.read(path)
        lines = comments(text) if path.endswith(".rs") else enumerate(map(str.strip, text.split("\n")), 1)
        for line, paragraph in paragraphs(lines):
            for phrase, better in PHRASES.items():
                for match in phrase.finditer(paragraph):
                    yield f"{path}:{line}: {match.group()!r}: {better}"


def check_columns(tree):
    for path in tree.rust("rust"):
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            if len(line) > COLUMNS and '"' not in line and not re.match(r"\s*//[/!]? \|", line):
                yield f"{path}:{number}: {len(line)} columns"


def check(tree):
    allowed, findings = Allowed(tree, "words.allow", fields=4), []
    for path in tree.files("rust/kernel", "rust/helpers", name=r"\.(rs|c|h)$"):
        for line, name, word in check_text(tree.read(path)):
            if not allowed.covers(lambda where, what, which: which == word
                                  and fnmatch.fnmatch(path, where) and fnmatch.fnmatchcase(name, what)):
                findings.append(f"{path}:{line}: {word!r} in {name!r}")
    return [*findings, *allowed.findings(), *check_prose(tree), *check_columns(tree)]


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
    ("over the end of a line", {"rust/driver/a.rs": "// There are so\nfn f() {}\n/// At most so\n/// many."},
     "a.rs:3: 'so many'"),
    ("in a document", {"docs/a.md": "Timers\n\n* and the peer\n  is told.\n"}, "a.md:3: 'is told'"),
    ("a long line", {"rust/proto/a.rs": "fn f() {" + " " * 100 + "}"}, "a.rs:1: 109 columns"),
    ("clean", {
        "docs/b.md": "The person who asks: who?\n\nWho may read this? You.",
        "rust/driver/b.rs": "// See who waits.\nconst S: &str = \"" + "Whoever " * 20 + "\";\n//! | " + "a" * 99,
        K: "// getpeername, speer, appear, unsessioned\nuse wg_bindings as bindings; struct Swg;",
        "rust/helpers/a.c": "int wg_helper_x(void);",
        "rust/proto/a.rs": "struct Peer;",
        "words.allow": "rust/helpers/*.c | wg_helper_* | wg | prefix\nrust/kernel/* | wg_bindings | wg | crate",
    }, None),
]
