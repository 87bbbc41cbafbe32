# SPDX-License-Identifier: GPL-2.0
"""The peer of the machine whose memory is searched; it knows every secret, and lies outside of it.

usage: host.py FOLDER

The folder, relative so that the names of sockets are short, has the machine's sockets "wire" and
"monitor" and gets "guest-keys" and "found". The machine (guest.sh) says what is to be done in
datagrams to port 9:

    hold        at its next initiation, look for its private ephemeral key before the answer
    initiate    begin a session
    search NAME stop the machine, save its memory, look for all secrets that there were; answers
                with the kinds that were found
"""

import base64
import collections
import os
import pathlib
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / "selftests/lib"), str(TOP / "tools/vm/py")]

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms  # noqa: E402
from search import HALF, find, mapped, private_keys  # noqa: E402
from wgtest import noise  # noqa: E402
from wire import Monitor, Wire, echo_reply  # noqa: E402

PORT, COMMANDS = 51820, 9
MEMORY = 384 << 20


class Secrets:
    """Every secret there was: name by half. A name is a kind and the number of the handshake."""

    def __init__(self):
        self.halves = {}
        self.points = {}
        self.handshake = 0

    def add(self, kind, *secrets, number=None):
        for secret in secrets:
            for start in range(0, len(secret), HALF):
                half = secret[start:start + HALF]
                if any(half):
                    self.halves.setdefault(half, (kind, self.handshake if number is None else number))

    def watch(self):
        """Has the reference peer report what it computes."""
        dh, kdf, seal, unseal = noise.dh, noise.kdf, noise.seal, noise.unseal

        def watched_kdf(count, chaining, data=b""):
            out = kdf(count, chaining, data)
            # Of the chaining keys that before the first product is public.
            if count == 2 and not data:
                self.add("session", *out)
            elif count > 1:
                self.add("chaining", out[0])
                self.add("handshake-key", *out[1:])
            return out

        def watched_dh(secret, point):
            product = dh(secret, point)
            self.add("product", product)
            return product

        def watched(function):
            def run(key, counter, *rest):
                self.one_time(key, counter)
                return function(key, counter, *rest)
            return run

        noise.dh, noise.kdf = watched_dh, watched_kdf
        noise.seal, noise.unseal = watched(seal), watched(unseal)

    def one_time(self, key, counter):
        """The key of Poly1305 for one packet, also with the bits clear that it does not use."""
        start = bytes(8) + counter.to_bytes(8, "little")
        made = Cipher(algorithms.ChaCha20(key, start), None).encryptor().update(bytes(32))
        masked = int.from_bytes(made[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
        self.add("poly1305", made, masked.to_bytes(16, "little"))


class Host:
    """The remote peer, and the search of the saved memory."""

    def __init__(self, folder):
        self.folder = folder
        self.begin = time.monotonic()
        self.secrets = Secrets()
        self.local, self.next, self.remote, self.psk = (self.private() for _ in range(4))
        lines = [base64.b64encode(key).decode() for key in
                 (self.local, self.next, noise.public(self.remote), self.psk)]
        # Before anything is watched: the private keys that an administrator sets are known to user
        # space.
        (folder / "guest-keys").write_text("\n".join(lines) + "\n", encoding="ascii")
        for n, key in enumerate((self.local, self.next)):
            self.secrets.add("static-static", noise.dh(key, noise.public(self.remote)), number=n)
        self.secrets.watch()
        self.found = open(folder / "found", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.public = noise.public(self.local)
        self.sessions, self.asked, self.hold = {}, None, False
        self.wire, self.machine = Wire(str(folder / "wire"), "10.99.0.1"), None
        self.monitor = Monitor(str(folder / "monitor"))

    @staticmethod
    def private():
        key = bytearray(os.urandom(32))
        key[0] &= 248
        key[31] = key[31] & 127 | 64
        return bytes(key)

    def log(self, *words):
        print(f"{time.monotonic() - self.begin:.0f}", *words, file=self.found, flush=True)

    def saved(self):
        """The memory of the machine, which stands still until "cont"."""
        path = self.folder / "memory"
        self.monitor("stop")
        self.monitor("pmemsave", val=0, size=MEMORY, filename=str(path))
        memory = mapped(path)
        path.unlink()
        return memory

    def ephemerals(self, memory):
        """Finds private ephemeral keys of the machine by their points; from then on they are
        known."""
        found = private_keys(memory, self.secrets.points)
        for point, key in found.items():
            self.secrets.add("ephemeral", key, number=self.secrets.points[point])
        return len(found)

    def search(self, step):
        """Searches; the kinds that were found."""
        memory = self.saved()
        self.ephemerals(memory)
        counts = collections.Counter()
        for place, name in find(memory, self.secrets.halves):
            counts[name] += 1
            self.log(f"at {place:#x}", step, *name)
        self.monitor("cont")
        for (kind, handshake), count in sorted(counts.items()):
            self.log("sum", step, kind, handshake, count)
        kinds = sorted({kind for kind, _ in counts})
        self.log("result", step, f"{len(self.secrets.halves)}-halves", *kinds)
        return " ".join(kinds)

    def command(self, words):
        """Does what the machine asks for; the answer."""
        if words[0] == "hold":
            self.hold = True
        elif words[0] == "key":
            self.public = noise.public(self.next)
        elif words[0] == "initiate":
            self.secrets.handshake += 1
            self.asked = noise.Handshake(self.remote, self.public, self.psk)
            self.send(self.asked.initiation())
        elif words[0] == "search":
            return self.search(words[1])
        elif words[0] == "initiations":
            return str(self.secrets.handshake)
        return "done"

    def send(self, message):
        self.wire.send(self.machine, PORT, PORT, message)

    def received(self, message):
        """A message of the tunnel."""
        kind = message[0]
        if kind == noise.INITIATION:
            self.secrets.handshake += 1
            self.secrets.points[message[8:40]] = self.secrets.handshake
            handshake = noise.Handshake(self.remote, self.public, self.psk)
            handshake.accept_initiation(message)
            if self.hold:
                self.hold = False
                self.log("result", "hold", self.ephemerals(self.saved()))
                self.monitor("cont")
            answer, session = handshake.response()
            self.sessions[session.local] = session
            self.send(answer)
        elif kind == noise.RESPONSE:
            self.secrets.points[message[12:44]] = self.secrets.handshake
            session = self.asked.accept_response(message)
            self.sessions[session.local] = session
            self.send(session.data())
        elif kind == noise.DATA:
            session = self.sessions[int.from_bytes(message[4:8], "little")]
            answer = echo_reply(session.open(message)[1])
            if answer:
                self.send(session.data(answer))

    def run(self):
        """Until the machine ends."""
        try:
            while True:
                for self.machine, sport, dport, data in self.wire.receive(60):
                    if dport == COMMANDS:
                        answer = self.command(data.decode().split())
                        self.wire.send(self.machine, COMMANDS, sport, answer.encode() + b"\n")
                    elif dport == PORT:
                        self.received(data)
        except (EOFError, ConnectionError):
            self.log("the machine has ended")


if __name__ == "__main__":
    Host(pathlib.Path(sys.argv[1])).run()
