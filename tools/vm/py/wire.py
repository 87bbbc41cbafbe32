# SPDX-License-Identifier: GPL-2.0
"""A virtual machine's network card and its monitor, seen from outside: QEMU's sockets in Python.

The card is QEMU's "stream" network on a Unix socket: each Ethernet frame has its length in front.
"""

import json
import select
import socket
import struct
import time

MAC = bytes.fromhex("525400000099")
ARP, IPV4 = 0x806, 0x800
ICMP, UDP = 1, 17


def checksum(data):
    """The sum that IPv4 and ICMP carry."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def address(text):
    """The four bytes of an address."""
    return socket.inet_aton(text)


def ip4(source, target, protocol, payload):
    """A packet of IPv4 between two addresses of four bytes."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, source, target)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(source, target, data):
    """A datagram between two ports, without a checksum."""
    return struct.pack(">HHHH", source, target, 8 + len(data), 0) + data


def echo_reply(packet):
    """The answer to an ICMP echo request in IPv4 (bytes behind it are padding), or None."""
    if len(packet) < 28 or packet[0] != 0x45 or packet[9] != ICMP or packet[20] != 8:
        return None
    packet = packet[:struct.unpack_from(">H", packet, 2)[0]]
    body = bytes([0, 0, 0, 0]) + packet[24:]
    return ip4(packet[16:20], packet[12:16], ICMP, body[:2] + struct.pack(">H", checksum(body)) + body[4:])


def connected(path, patience=120):
    """A socket to the one that QEMU makes."""
    end = time.monotonic() + patience
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(path)
            return peer
        except OSError:
            peer.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Wire:
    """The other end of a machine's network card: answers ARP for one address, carries UDP."""

    def __init__(self, path, own):
        self.own = address(own)
        self.socket = connected(path)
        self.buffer = b""
        self.machine = None

    def fileno(self):
        return self.socket.fileno()

    def frame(self, kind, payload):
        """Sends a frame to the machine."""
        data = self.machine + MAC + struct.pack(">H", kind) + payload
        data += bytes(max(0, 60 - len(data)))
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def send(self, target, sport, dport, data):
        """Sends a datagram to an address of four bytes."""
        self.frame(IPV4, ip4(self.own, target, UDP, udp(sport, dport, data)))

    def receive(self, wait):
        """The datagrams (source, its port, our port, data) that come within some seconds, if any.

        Raises EOFError when the machine has ended.
        """
        if not select.select([self.socket], [], [], wait)[0]:
            return []
        more = self.socket.recv(1 << 18)
        if not more:
            raise EOFError
        self.buffer += more
        found = []
        while len(self.buffer) >= 4:
            length, = struct.unpack_from(">I", self.buffer)
            if len(self.buffer) < 4 + length:
                break
            found += self.taken(self.buffer[4:4 + length])
            self.buffer = self.buffer[4 + length:]
        return found

    def taken(self, frame):
        """The datagram in a frame, as a list; answers ARP."""
        kind, = struct.unpack_from(">H", frame, 12)
        body = frame[14:]
        if kind == ARP and body[6:8] == b"\0\1" and body[24:28] == self.own:
            self.machine = frame[6:12]
            self.frame(ARP, body[:6] + b"\0\2" + MAC + self.own + body[8:18])
        elif kind == IPV4 and body[9] == UDP and body[16:20] == self.own:
            self.machine = frame[6:12]
            sport, dport, length = struct.unpack_from(">HHH", body, 20)
            return [(body[12:16], sport, dport, body[28:20 + length])]
        return []


class Monitor:
    """QEMU's monitor for programs."""

    def __init__(self, path):
        self.file = connected(path).makefile("rw", encoding="utf-8", newline="\n")
        self.file.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        """Runs a command; its answer."""
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
