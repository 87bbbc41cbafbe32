# SPDX-License-Identifier: GPL-2.0
"""Datagrams out of other people's memory: pages of a file, of a program, what a capture holds. It
stays as it is."""

import ctypes
import mmap
import os
import struct

from wgtest.check import equal, main
from wgtest.far import Peer, Reader
from wgtest.packets import Tap

# From less than what is decrypted at once to more than a page.
SIZES = (1, 100, 463, 700, 1300, 4000, 5000, 9000)
# Within the first page, and over its end.
OFFSETS = (0, 77, 4000)
# The ways to the interface: from where, and to which address.
WAYS = (("far", "10.0.0.1"), ("near", "127.0.0.1"))
PAGE = mmap.PAGESIZE
# Seconds.
WAIT = 0.2


def texts():
    """What is sent, with an offset for each."""
    return [(bytes([n]) * size, offset) for n, (size, offset) in
            enumerate((size, offset) for size in SIZES for offset in OFFSETS)]


def all_ways(title, send):
    """Sends them all on all ways, and looks at what arrives. `send(peer, message, offset)` returns
    what changed."""
    for where, address in WAYS:
        peer, reader = Peer(where, address), Reader()
        tap = Tap("near", "veth" if where == "far" else "lo")
        messages = []
        for text, offset in texts():
            messages.append(peer.message(text))
            equal(f"{title}, {where}, {len(text)} bytes at {offset}: changed", send(peer, messages[-1], offset), None)
            equal(f"{title}, {where}, {len(text)} bytes at {offset}: arrived", reader.read(1), [text])
        # All that was captured is read only now.
        seen = [packet[28:] for packet in tap.packets() if len(packet) > 28]
        # Those that are too long for the link come in fragments.
        missing = [len(message) for message in messages if message not in seen and (where == "near" or len(message) < 1400)]
        equal(f"{title}, {where}: not captured as they were sent", missing, [])
        tap.close()
        reader.socket.close()


def file_pages():
    def send(peer, message, offset):
        with open("/run/work/messages", "w+b") as file:
            before = b"\xaa" * offset + message + b"\xbb" * 100
            file.write(before)
            file.flush()
            equal("sent", os.sendfile(peer.socket.fileno(), file.fileno(), offset, len(message)), len(message))
            file.seek(0)
            return None if file.read() == before else "the file"
    all_ways("file", send)


def own_memory():
    libc = ctypes.CDLL(None, use_errno=True)

    def send(peer, message, offset):
        memory = mmap.mmap(-1, 4 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        before = b"\xaa" * offset + message + b"\xbb" * (4 * PAGE - offset - len(message))
        memory[:] = before
        out, into = os.pipe()
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        vector = ctypes.create_string_buffer(struct.pack("=QQ", start + offset, len(message)))
        equal("given", libc.vmsplice(into, vector, 1, 0), len(message))
        equal("sent", os.splice(out, peer.socket.fileno(), len(message)), len(message))
        os.close(out)
        os.close(into)
        return None if memory[:] == before else "the memory"
    all_ways("memory", send)


def datagrams_in_pages():
    # With the size of a segment, C puts even a single one into pages of its own.
    def send(peer, message, _):
        peer.send(message, segment=min(len(message), 1400) if len(message) < 1400 else None)
    all_ways("pages", send)


def datagrams_in_one_piece():
    def send(peer, message, _):
        peer.send(message)
    all_ways("one piece", send)


main(file_pages, own_memory, datagrams_in_pages, datagrams_in_one_piece)
