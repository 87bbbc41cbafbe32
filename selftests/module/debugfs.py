# SPDX-License-Identifier: GPL-2.0
"""Reads a file of debugfs in parts, while a counter in it grows from one digit to two.

usage: debugfs.py FILE PORT
"""

import socket
import sys

from wgtest.check import eventually


def send(count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(count):
            # No message of the protocol.
            udp.sendto(b"\n", ("127.0.0.1", int(sys.argv[2])))


def counts():
    with open(sys.argv[1], encoding="ascii") as file:
        return dict(line.split() for line in file)


def main():
    send(9)
    assert eventually(10, lambda: "9" in counts().values()), counts()
    reason = next(name for name, count in counts().items() if count == "9")
    with open(sys.argv[1], "rb", buffering=0) as file:
        text = file.read(10)
        # Over lo it has mostly arrived when the call returns.
        send(1)
        # Another reader takes nothing away.
        counts()
        text += file.read(65536)
        rest = file.read(65536)
    assert dict(line.split() for line in text.decode().splitlines())[reason] == "9", text
    assert rest == b"", f"{rest} after the end"
    assert eventually(10, lambda: counts()[reason] == "10"), counts()


main()
