#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The two parts of dissector.sh: a reference peer that makes the module send every type of message,
and what tshark must say.

usage: dissector.py talk PRIVATE NEAR-PUBLIC PSK KEYLOG
       dissector.py judge NEAR-PUBLIC FAR-PUBLIC FIELDS
"""

import base64
import os
import socket
import struct
import sys
import time

from wgtest import noise

NEAR = ("10.0.0.1", 51821)


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def echo_request(number):
    """An IPv4 packet from 192.168.7.2 to 192.168.7.1."""
    icmp = struct.pack(">BBHHH", 8, 0, 0, 1, number) + bytes(40)
    icmp = icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:]
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, bytes([192, 168, 7, 2]),
                       bytes([192, 168, 7, 1]))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + icmp


class Peer:
    """The reference peer at its socket."""

    def __init__(self, secret, near, psk, log):
        self.secret, self.near, self.psk, self.log = secret, near, psk, log
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("10.0.0.2", 40000))
        self.socket.settimeout(60)

    def send(self, message):
        self.socket.sendto(message, NEAR)

    def receive(self, kind):
        """The next message, which must be of this kind."""
        message = self.socket.recv(2000)
        if message[0] != kind:
            raise SystemExit(f"FAIL: a message of type {message[0]}, not {kind}")
        return message

    def handshake(self):
        """A new one, whose key the log knows."""
        handshake = noise.Handshake(self.secret, self.near, self.psk)
        for name, key in (("LOCAL_STATIC_PRIVATE_KEY", self.secret), ("REMOTE_STATIC_PUBLIC_KEY", self.near),
                          ("LOCAL_EPHEMERAL_PRIVATE_KEY", handshake.ephemeral), ("PRESHARED_KEY", self.psk)):
            self.log.write(f"{name} = {base64.b64encode(key).decode()}\n")
        return handshake


def talk(private, near, psk, log):
    peer = Peer(*(base64.b64decode(key) for key in (private, near, psk)), log)

    # We begin: the module sends a response and data.
    handshake = peer.handshake()
    peer.send(handshake.initiation())
    session = handshake.accept_response(peer.receive(noise.RESPONSE))
    for number in range(3):
        peer.send(session.data(echo_request(number)))
        session.open(peer.receive(noise.DATA))
    peer.send(session.data())

    # It begins, as it waits in vain for an answer for 15 s.
    peer.send(session.data(echo_request(11)))
    session.open(peer.receive(noise.DATA))
    asked = peer.handshake()
    asked.accept_initiation(peer.receive(noise.INITIATION))
    message, session = asked.response()
    peer.send(message)
    if len(peer.receive(noise.DATA)) != 32:
        raise SystemExit("FAIL: no keepalive confirms the session")
    peer.send(session.data(echo_request(12)))
    session.open(peer.receive(noise.DATA))
    peer.send(session.data())

    # Under load it sends a cookie, and takes an initiation with it.
    junk = noise.add_macs(struct.pack("<II", 1, 7) + os.urandom(108), peer.near)
    noisy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def flooded(cookie=None):
        handshake = peer.handshake()
        message = handshake.initiation(cookie=cookie)
        # At once, so that the module's workers do not empty the queue meanwhile.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
        for _ in range(600):
            noisy.sendto(junk, NEAR)
        peer.send(message)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return handshake, message
    handshake, message = flooded()
    _, cookie = noise.open_cookie(peer.receive(noise.COOKIE), peer.near, message)
    time.sleep(0.5)
    handshake, message = flooded(cookie)
    session = handshake.accept_response(peer.receive(noise.RESPONSE))
    peer.send(session.data(echo_request(13)))
    session.open(peer.receive(noise.DATA))
    peer.send(session.data())


def judge(near, far, rows):
    """What the fields of all frames must be."""
    seen = {}
    for number, row in enumerate(rows, 1):
        port, kind, stamp, ok, receiver, mac2, icmp, severity, message, malformed = row.rstrip("\n").split("\t")

        def holds(what, condition, row=row, number=number):
            if not condition:
                raise SystemExit(f"FAIL: frame {number}: {what}: {row}")
        source = {"51821": "near", "40000": "far"}[port]
        worst = max((int(value, 0) for value in severity.split(",") if value), default=0)
        # What tshark says of a keepalive is a remark ("chat").
        holds("tshark complains", worst <= 0x00200000 and not malformed)
        if kind in ("1", "2"):
            holds("mac1 is for somebody else", receiver == (far if source == "near" else near))
        if kind == "1":
            holds("the timestamp is not decrypted", stamp)
        if kind == "2":
            holds("the response is not decrypted", ok in ("1", "True"))
        if kind == "4":
            keepalive = "eepalive" in message
            holds("the data is not decrypted", keepalive or icmp)
            kind = "keepalive" if keepalive else f"icmp {icmp.split(',', maxsplit=1)[0]}"
        if mac2.strip("0:,") and kind == "1":
            kind = "1 with mac2"
        seen[source, kind] = seen.get((source, kind), 0) + 1
    print(seen)
    for wanted in (("near", "1"), ("near", "2"), ("near", "3"), ("near", "icmp 0"), ("near", "keepalive"),
                   ("far", "1"), ("far", "2"), ("far", "icmp 8"), ("far", "keepalive"), ("far", "1 with mac2")):
        if wanted not in seen:
            raise SystemExit(f"FAIL: no frame {wanted}")


if __name__ == "__main__":
    if sys.argv[1] == "talk":
        with open(sys.argv[5], "w", encoding="ascii") as keylog:
            talk(*sys.argv[2:5], keylog)
    else:
        with open(sys.argv[4], encoding="utf-8") as fields:
            judge(sys.argv[2], sys.argv[3], fields)
