# SPDX-License-Identifier: GPL-2.0
"""Headers outside, and what of a packet inside they show."""

import json
import socket
import struct
import time

from wgtest import check
from wgtest.check import equal, holds, run
from wgtest.genl import Device, namespace, u32
from wgtest.packets import ip4, ones_sum, udp

from .ends import (DATA, INITIATION, IN_A, IN_B, PORT_A, PORT_B, WG0, Tap, anew, clients, counters, in_ns, iperf, nft, ping,
                  set_peer, transfer, udp_socket)


def checksum_fits(header, head, body):
    """Whether a UDP checksum is there and right."""
    addresses = header[8:40] if len(header) == 40 else header[12:20]
    pseudo = addresses + struct.pack("!HH", 17, len(head) + len(body))
    return head[6:8] != b"\0\0" and ones_sum(pseudo + head + body) == 0xffff


def headers():
    """row D8"""
    for where in "ab":
        in_ns(where, "ethtool -K veth tx off")
    tap = Tap("b")
    for family, route in ((4, "10.0.0.2"), (6, "fd00:0::2")):
        anew(family)
        tap.packets()
        holds("ping", ping("a", IN_B[family]))
        messages = tap.messages()
        equal("messages", [body[0] for _, _, body in messages][:2], [INITIATION, DATA])
        for header, head, body in messages:
            what = f"IPv{family}, type {body[0]}"
            holds(f"{what}: UDP checksum", checksum_fits(header, head, body))
            equal(f"{what}: source port", struct.unpack("!H", head[:2])[0], PORT_A)
            if family == 4:
                equal(f"{what}: no DF, no fragment", struct.unpack("!H", header[6:8])[0], 0)
                equal(f"{what}: hop limit", header[8], 64)
            else:
                equal(f"{what}: flow label", struct.unpack("!I", header[:4])[0] & 0xfffff, 0)
                equal(f"{what}: hop limit", header[7], 64)
        # The route's own.
        run(f"ip -n a -{family} route add {route} dev veth hoplimit 33")
        tap.packets()
        holds("ping", ping("a", IN_B[family]))
        equal(f"IPv{family}: hop limit of the route", {header[8 if family == 4 else 7] for header, _, _ in tap.messages()},
              {33})
        run(f"ip -n a -{family} route del {route} dev veth")
    tap.close()
    # row D19: as much as there is to send.
    line, = [line for line in in_ns("a", "ss -HlunmO4").splitlines() if f":{PORT_A}" in line]
    holds(f"send buffer: {line}", "tb2147483647" in line)
    line, = [line for line in in_ns("a", "ss -HlunmO6").splitlines() if f":{PORT_A}" in line]
    holds(f"send buffer: {line}", "tb2147483647" in line)


def marks():
    """rows SP3 D10"""
    anew()
    nft("a", f"""table inet t {{
        counter plain {{ }}
        counter marked {{ }}
        counter prioritised {{ }}
        counter tracked {{ }}
        counter ours {{ }}
        chain out {{
            type filter hook output priority 0;
            udp dport {PORT_B} meta mark 0 counter name plain
            udp dport {PORT_B} meta mark 5 counter name marked
            udp dport {PORT_B} meta priority != none counter name prioritised
            udp dport {PORT_B} meta mark 0x33 counter name ours
            udp dport {PORT_B} ct mark 7 counter name tracked
            ip daddr 192.168.7.2 ct mark set 7
        }}
    }}""")
    out = udp_socket("a", SO_MARK=5, SO_PRIORITY=6)
    for _ in range(2):
        out.sendto(b"x", (IN_B[4], 9))
        time.sleep(0.5)
    # An initiation and two packets.
    equal("mark, priority and connection of the inner packet", counters("a"),
          {"plain": 3, "marked": 0, "prioritised": 0, "tracked": 0, "ours": 0})
    # From the next packet on, and on handshakes too.
    clients["a"].set(WG0, u32(Device.FWMARK, 0x33))
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("mark on data", counters("a")["ours"], 1)
    anew()
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.5)
    equal("mark on handshake and data", counters("a")["ours"], 3)
    # A keepalive.
    set_peer("a", "b", keepalive=1000)
    time.sleep(0.2)
    set_peer("a", "b", keepalive=0)
    equal("mark on a keepalive", counters("a")["ours"], 4)
    # The route is looked up with it.
    run("ip -n a route add unreachable default table 200")
    run("ip -n a rule add fwmark 0x33 table 200")
    before = transfer("a")
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("routed by its mark", (counters("a")["ours"], transfer("a")), (4, before))
    clients["a"].set(WG0, u32(Device.FWMARK, 0))
    out.sendto(b"x", (IN_B[4], 9))
    time.sleep(0.2)
    equal("without it", (counters("a")["ours"], counters("a")["plain"]), (4, 4))
    run("ip -n a rule del fwmark 0x33 table 200")
    run("ip -n a route del unreachable default table 200")
    out.close()
    nft("a", "delete table inet t")


def flows():
    """row D7: queues outside still tell the flows inside from each other, as the hash of the packet
    inside is kept."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    run("tc -n a qdisc add dev veth root handle 1: prio bands 16 priomap " + "0 " * 16)
    run("tc -n a filter add dev veth parent 1: handle 1 protocol all flow map key rxhash and 0xf baseclass 1:1")

    def bands():
        classes = json.loads(run("tc -n a -s -j class show dev veth"))
        return [entry["stats"]["packets"] if "stats" in entry else entry["packets"] for entry in classes]

    def used(send):
        before = bands()
        send()
        time.sleep(0.3)
        return [after - count for after, count in zip(bands(), before)]
    out = udp_socket("a")

    def one():
        for _ in range(40):
            out.sendto(b"x", (IN_B[4], 9))

    def many():
        for number in range(40):
            with udp_socket("a") as other:
                other.bind((IN_A[4], 2000 + number))
                other.sendto(b"x", (IN_B[4], 9))
    grown = used(one)
    equal(f"one flow: {grown}", max(grown) >= 40, True)
    grown = used(many)
    holds(f"forty flows: {grown}", sum(1 for count in grown if count) >= 6 and sum(grown) >= 40)
    out.close()
    run("tc -n a qdisc del dev veth root")


def inner_checksums():
    """row D7: what the sender's stack left to the hardware is done before encryption."""
    anew()
    tap = Tap("b", "wg0")
    holds("ping", ping("a", IN_B[4]))
    tap.packets()
    for family in (4, 6):
        with udp_socket("a", family) as out:
            out.sendto(b"some data", (IN_B[family], PORT_B))
        header, head, body = tap.messages(kinds=(b"s"[0],))[0]
        holds(f"IPv{family}: checksum inside", checksum_fits(header, head, body))
    tap.close()


def delivery():
    """row E4: a checksum inside is not looked at again, no mark comes from outside, TCP is
    merged."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    sink = udp_socket("b")
    sink.bind((IN_B[4], 7000))
    sink.settimeout(3)
    with namespace("a"):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    raw.sendto(ip4(IN_A[4], IN_B[4], udp(b"data", csum=0x1234)), ("wg0", 0x800))
    try:
        equal("wrong checksum inside", sink.recv(100), b"data")
    except TimeoutError:
        check.problem("a packet with a wrong checksum inside was not delivered")
    raw.close()
    sink.close()
    nft("b", f"""table inet t {{
        counter outside {{ }}
        counter inside {{ }}
        counter merged {{ }}
        chain in {{
            type filter hook prerouting priority -200;
            udp dport {PORT_B} meta mark set 9 counter name outside
            iifname wg0 meta mark 9 counter name inside
            iifname wg0 tcp dport 5201 meta length > 1500 counter name merged
        }}
    }}""")
    # On a slow machine TCP sends no more than two segments at once, so two are merged.
    iperf("-t1")
    seen = counters("b")
    nft("b", "delete table inet t")
    holds(f"marks: {seen}", seen["outside"] > 20 and seen["inside"] == 0)
    holds(f"merged TCP packets: {seen}", seen["merged"] > 5)
