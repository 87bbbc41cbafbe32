# SPDX-License-Identifier: GPL-2.0
"""rust/kernel and rust/helpers do not know what they are used for.

They wrap the kernel's interfaces; a word of the protocol there says that protocol has
leaked in. Comments and strings count as well. words.allow has the exceptions.
"""

import fnmatch
import re

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


def check(tree):
    allowed, findings = Allowed(tree, "words.allow", fields=4), []
    for path in tree.files("rust/kernel", "rust/helpers", name=r"\.(rs|c|h)$"):
        for line, name, word in check_text(tree.read(path)):
            if not allowed.covers(lambda where, what, which: which == word
                                  and fnmatch.fnmatch(path, where) and fnmatch.fnmatchcase(name, what)):
                findings.append(f"{path}:{line}: {word!r} in {name!r}")
    return findings + allowed.findings()


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
    ("clean", {
        K: "// getpeername, speer, appear, unsessioned\nuse wg_bindings as bindings; struct Swg;",
        "rust/helpers/a.c": "int wg_helper_x(void);",
        "rust/proto/a.rs": "struct Peer;",
        "words.allow": "rust/helpers/*.c | wg_helper_* | wg | prefix\nrust/kernel/* | wg_bindings | wg | crate",
    }, None),
]
