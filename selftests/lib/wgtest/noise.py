# SPDX-License-Identifier: GPL-2.0
"""A reference peer: both roles of Noise_IKpsk2 as WireGuard uses it, macs, cookies and transport
data.

Written from the protocol's paper for tests: slow, never constant time, and able to be wrong on
purpose.
"""

import hashlib
import hmac
import os
import struct
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
ZERO = bytes(16)


def blake2s(data, key=b"", size=32):
    return hashlib.blake2s(data, key=key, digest_size=size).digest()


def kdf(count, chaining, data=b""):
    """The `count` outputs of HKDF with HMAC-BLAKE2s."""
    secret = hmac.digest(chaining, data, hashlib.blake2s)
    out, last = [], b""
    for n in range(1, count + 1):
        last = hmac.digest(secret, last + bytes([n]), hashlib.blake2s)
        out.append(last)
    return out


def dh(secret, point):
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(point))


def public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def seal(key, counter, text, ad=b""):
    return ChaCha20Poly1305(key).encrypt(struct.pack("<IQ", 0, counter), text, ad)


def unseal(key, counter, box, ad=b""):
    return ChaCha20Poly1305(key).decrypt(struct.pack("<IQ", 0, counter), box, ad)


def hchacha20(key, nonce):
    """The key that XChaCha20 goes on with, from the first 16 bytes of its nonce."""
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xffffffff
            s[z] ^= s[x]
            s[z] = (s[z] << turn | s[z] >> (32 - turn)) & 0xffffffff
    for _ in range(10):
        for n in range(4):
            quarter(n, n + 4, n + 8, n + 12)
        for n in range(4):
            quarter(n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4)
    return struct.pack("<8I", *s[:4], *s[12:])


def xseal(key, nonce, text, ad):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], text, ad)


def xunseal(key, nonce, box, ad):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], box, ad)


def tai64n(when=None):
    """The time as a label; in steps of nothing coarser than nanoseconds."""
    when = time.time_ns() if when is None else when
    return struct.pack(">QI", 0x400000000000000a + when // 10**9, when % 10**9)


# --- macs

def add_macs(message, receiver, cookie=None):
    """Appends both macs to a message for the holder of this public key."""
    message += blake2s(message, blake2s(b"mac1----" + receiver), 16)
    return message + (blake2s(message, cookie, 16) if cookie else ZERO)


def mac1(message):
    return message[-32:-16]


def has_mac1(message, receiver):
    return mac1(message) == blake2s(message[:-32], blake2s(b"mac1----" + receiver), 16)


def has_mac2(message, cookie):
    return message[-16:] == blake2s(message[:-16], cookie, 16)


def cookie_reply(receiver_index, cookie, sender, answered, nonce=None):
    """The reply of the holder of the public key `sender` to the message `answered`."""
    nonce = nonce or os.urandom(24)
    return (struct.pack("<II", COOKIE, receiver_index) + nonce
            + xseal(blake2s(b"cookie--" + sender), nonce, cookie, mac1(answered)))


def open_cookie(reply, sender, sent):
    """(index, cookie) of a reply to the message `sent`."""
    kind, index = struct.unpack_from("<II", reply)
    assert kind == COOKIE and len(reply) == 64
    return index, xunseal(blake2s(b"cookie--" + sender), reply[8:32], reply[32:], mac1(sent))


# --- handshake

class Symmetric:
    """Chaining key and hash."""

    def __init__(self, responder):
        self.chaining = blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        self.hash = blake2s(blake2s(self.chaining + b"WireGuard v1 zx2c4 Jason@zx2c4.com") + responder)

    def mix_hash(self, data):
        self.hash = blake2s(self.hash + data)

    def mix_point(self, point):
        self.mix_hash(point)
        self.chaining, = kdf(1, self.chaining, point)

    def mix_dh(self, shared):
        self.chaining, key = kdf(2, self.chaining, shared)
        return key

    def mix_psk(self, psk):
        self.chaining, middle, key = kdf(3, self.chaining, psk)
        self.mix_hash(middle)
        return key

    def seal(self, key, text):
        box = seal(key, 0, text, self.hash)
        self.mix_hash(box)
        return box

    def unseal(self, key, box):
        text = unseal(key, 0, box, self.hash)
        self.mix_hash(box)
        return text


class Session:
    """Keys of a session, and the counter of what we send."""

    def __init__(self, local, remote, sending, receiving):
        self.local, self.remote, self.sending, self.receiving = local, remote, sending, receiving
        self.counter = 0

    def data(self, packet=b"", counter=None, pad=True):
        """A data message; `pad=False` leaves the length as it is."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        if pad:
            packet += bytes(-len(packet) % 16)
        return struct.pack("<IIQ", DATA, self.remote, counter) + seal(self.sending, counter, packet)

    def open(self, message):
        """(counter, padded packet) of a data message to us."""
        kind, index, counter = struct.unpack_from("<IIQ", message)
        assert (kind, index) == (DATA, self.local), "not a data message of this session"
        return counter, unseal(self.receiving, counter, message[16:])


class Handshake:
    """One handshake of ours with the other side, whose public key is `remote`."""

    def __init__(self, secret, remote, psk=bytes(32)):
        self.secret, self.remote, self.psk = secret, remote, psk
        self.index = int.from_bytes(os.urandom(4), "little")
        self.ephemeral = os.urandom(32)

    def initiation(self, timestamp=None, cookie=None, spoil=None, ephemeral=None, static=None):
        """The first message. `spoil` ("static", "timestamp") garbles a part before the macs are
        made.

        `ephemeral` and `static` are sent in place of our public keys.
        """
        state = self.state = Symmetric(self.remote)
        point = ephemeral or public(self.ephemeral)
        own = static or public(self.secret)
        state.mix_point(point)
        # With a made-up point no receiver gets further than the first key.
        box = state.seal(state.mix_dh(bytes(32) if ephemeral else dh(self.ephemeral, self.remote)), own)
        stamp = state.seal(state.mix_dh(dh(self.secret, self.remote)), timestamp or tai64n())
        if spoil == "static":
            box = garbled(box)
        if spoil == "timestamp":
            stamp = garbled(stamp)
        return add_macs(struct.pack("<II", INITIATION, self.index) + point + box + stamp, self.remote, cookie)

    def accept_response(self, message):
        """The session that the other side's answer begins."""
        kind, sender, receiver = struct.unpack_from("<III", message)
        assert (kind, len(message), receiver) == (RESPONSE, 92, self.index)
        assert has_mac1(message, public(self.secret))
        state, point = self.state, message[12:44]
        state.mix_point(point)
        state.mix_dh(dh(self.ephemeral, point))
        state.mix_dh(dh(self.secret, point))
        assert state.unseal(state.mix_psk(self.psk), message[44:60]) == b""
        sending, receiving = kdf(2, state.chaining)
        return Session(self.index, sender, sending, receiving)

    def accept_initiation(self, message):
        """Reads the other side's first message; its timestamp."""
        kind, self.sender = struct.unpack_from("<II", message)
        assert (kind, len(message)) == (INITIATION, 148)
        own = public(self.secret)
        assert has_mac1(message, own)
        state = self.state = Symmetric(own)
        self.point = message[8:40]
        state.mix_point(self.point)
        identity = state.unseal(state.mix_dh(dh(self.secret, self.point)), message[40:88])
        assert identity == self.remote
        return state.unseal(state.mix_dh(dh(self.secret, self.remote)), message[88:116])

    def response(self, index=None, cookie=None, spoil=None, ephemeral=None):
        """Our answer; (message, session). `index` stands for the other side's, `spoil` garbles the
        box."""
        state = self.state
        point = ephemeral or public(self.ephemeral)
        state.mix_point(point)
        state.mix_dh(dh(self.ephemeral, self.point))
        state.mix_dh(dh(self.ephemeral, self.remote))
        box = state.seal(state.mix_psk(self.psk), b"")
        if spoil:
            box = garbled(box)
        head = struct.pack("<III", RESPONSE, self.index, self.sender if index is None else index)
        receiving, sending = kdf(2, state.chaining)
        return (add_macs(head + point + box, self.remote, cookie),
                Session(self.index, self.sender, sending, receiving))


def garbled(data):
    """The same with one bit turned."""
    return data[:-1] + bytes([data[-1] ^ 1])


def demonstrate():
    """Both roles against each other, and XChaCha against the vector of its draft."""
    one, two, psk = os.urandom(32), os.urandom(32), os.urandom(32)
    asking, answering = Handshake(one, public(two), psk), Handshake(two, public(one), psk)
    answering.accept_initiation(asking.initiation())
    message, theirs = answering.response()
    ours = asking.accept_response(message)
    assert theirs.open(ours.data(b"there")) == (0, b"there" + bytes(11))
    assert ours.open(theirs.data(b"back", counter=7)) == (7, b"back" + bytes(12))
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    assert hchacha20(key, nonce).hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    asked = asking.initiation()
    assert open_cookie(cookie_reply(5, b"c" * 16, public(two), asked), public(two), asked) == (5, b"c" * 16)


if __name__ == "__main__":
    demonstrate()
    print("ok")
