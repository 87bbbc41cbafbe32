# SPDX-License-Identifier: GPL-2.0
"""Looks for secrets in a machine's memory, at any byte."""

import mmap

import numpy

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

HALF = 16
PAGE = 4096
CHUNK = 1 << 22
# Of 32 random bytes about 30 differ; fewer than 25 in one case of 20 000.
DISTINCT = 25


def chunks(memory):
    """(place, bytes) of what is not zero, each with the start of the next page behind it."""
    for start in range(0, len(memory), CHUNK):
        block = numpy.frombuffer(memory[start:start + CHUNK + 64], dtype=numpy.uint8)
        whole = block[:len(block) // PAGE * PAGE].reshape(-1, PAGE)
        used = whole.view(numpy.uint64).any(axis=1)
        page = 0
        while page < len(used):
            if not used[page]:
                page += 1
                continue
            end = page
            while end < len(used) and used[end]:
                end += 1
            yield start + page * PAGE, block[page * PAGE:end * PAGE + 64]
            page = end


def find(memory, secrets):
    """Yields (place, name) for each half of a secret; `secrets` has the name by the 16 bytes."""
    first = numpy.zeros(1 << 16, dtype=bool)
    words = []
    for half in secrets:
        first[int.from_bytes(half[:2], "little")] = True
        words.append(int.from_bytes(half[:8], "little"))
    words = numpy.array(words, dtype=numpy.uint64)
    for start, block in chunks(memory):
        pairs = block[:-1].astype(numpy.uint16) | block[1:].astype(numpy.uint16) << 8
        places = numpy.flatnonzero(first[pairs])
        places = places[places <= len(block) - HALF]
        value = numpy.zeros(len(places), dtype=numpy.uint64)
        for n in range(8):
            value |= block[places + n].astype(numpy.uint64) << numpy.uint64(8 * n)
        for place in places[numpy.isin(value, words)]:
            name = secrets.get(block[place:place + HALF].tobytes())
            if name and place < len(block) - 64:
                yield start + int(place), name


def likely(memory):
    """What looks like a private key as clamped, and random, at every fourth byte."""
    found = set()
    for _, block in chunks(memory):
        high = block[31::4]
        low = block[::4][:len(high)]
        places = 4 * numpy.flatnonzero(((low & 7) == 0) & ((high & 0xc0) == 0x40))
        windows = numpy.lib.stride_tricks.sliding_window_view(block, 32)
        for begin in range(0, len(places), 1 << 15):
            some = places[begin:begin + (1 << 15)]
            ordered = numpy.sort(windows[some], axis=1)
            distinct = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
            found.update(windows[place].tobytes() for place in some[distinct >= DISTINCT])
    return found


def private_keys(memory, points):
    """The private keys of those of the public keys `points` for which there is one, by point.

    They need not be known: what may be a private key is multiplied by the base.
    """
    found = {}
    for key in likely(memory):
        point = X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        if point in points:
            found[point] = key
    return found


def mapped(path):
    """The file as memory."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def demonstrate():
    """What is planted is found, across pages and blocks, and nothing else is."""
    noise = numpy.random.default_rng(1)
    memory = bytearray(3 * CHUNK)
    memory[5 * PAGE:9 * PAGE] = noise.bytes(4 * PAGE)
    memory[CHUNK - PAGE:CHUNK + PAGE] = noise.bytes(2 * PAGE)
    secrets = {noise.bytes(HALF): n for n in range(300)}
    planted = {5 * PAGE: 1, 6 * PAGE - 7: 2, 9 * PAGE - 16: 3, CHUNK - 5: 4, 2 * CHUNK + 12345: 5}
    by_number = {n: half for half, n in secrets.items()}
    for place, n in planted.items():
        memory[place:place + HALF] = by_number[n]
    assert dict(find(memory, secrets)) == planted, dict(find(memory, secrets))
    key = bytearray(noise.bytes(32))
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    point = X25519PrivateKey.from_private_bytes(bytes(key)).public_key().public_bytes_raw()
    for place in (6 * PAGE + 4, CHUNK - 12):
        copy = bytearray(memory)
        copy[place:place + 32] = key
        assert private_keys(copy, {point}) == {point: bytes(key)}
    assert not private_keys(memory, {point})


if __name__ == "__main__":
    demonstrate()
    print("ok")
