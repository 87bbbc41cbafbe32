# SPDX-License-Identifier: GPL-2.0
"""Queues: what waits, and what leaves in which order."""

import os
import socket
import struct
import threading
import time
from contextlib import contextmanager

from wgtest import check
from wgtest.check import equal, holds, run

from .ends import DATA, IN_A, IN_B, PORT_B, Tap, anew, iperf, nft, ping, udp_socket


def staged():
    """row T13: what waits for a session does not hold up its socket, and leaves in its order."""
    anew()
    nft("b", f"table inet t {{ chain in {{ type filter hook input priority 0; udp dport {PORT_B} drop; }}; }}")
    sink = udp_socket("b", SO_RCVBUF=1 << 22)
    sink.bind((IN_B[4], 7000))
    sink.settimeout(10)
    out = udp_socket("a", SO_SNDBUF=4608)
    out.setblocking(False)
    sent = 0
    try:
        for sent in range(1, 101):
            out.sendto(struct.pack("!I", sent) + bytes(200), (IN_B[4], 7000))
    except BlockingIOError:
        pass
    equal("packets past a small send buffer", sent, 100)
    nft("b", "delete table inet t")
    # The handshake comes with its next try.
    got = []
    try:
        while len(got) < 100:
            got.append(struct.unpack_from("!I", sink.recv(1000))[0])
    except TimeoutError:
        pass
    equal("their order", got, list(range(1, 101)))
    # row D10: with a session they do hold it, as long as they are on their way.
    run("tc -n a qdisc add dev veth root tbf rate 8kbit burst 2kb limit 1mb")
    blocked = False
    try:
        for _ in range(100):
            out.sendto(bytes(200), (IN_B[4], 7000))
    except BlockingIOError:
        blocked = True
    holds("a socket sends more than its buffer", blocked)
    run("tc -n a qdisc del dev veth root")
    out.close()
    sink.close()


def segments():
    """row D4: one big packet leaves as one run of messages."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    tap = Tap("b")
    sink = udp_socket("b")
    sink.bind((IN_B[4], 7000))
    stop = threading.Event()

    def chatter():
        with udp_socket("a") as other:
            while not stop.is_set():
                other.sendto(b"x", (IN_B[4], 9))
                time.sleep(0.0005)
    thread = threading.Thread(target=chatter)
    thread.start()
    out = udp_socket("a")
    out.setsockopt(socket.IPPROTO_UDP, 103, 1000)  # UDP_SEGMENT
    try:
        for _ in range(20):
            out.sendto(b"y" * 40000, (IN_B[4], 7000))
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()
    messages = tap.messages(0.5)
    tap.close()
    large = [struct.unpack_from("<Q", body, 8)[0] for _, _, body in messages if len(body) == 1072]
    equal("segments", len(large), 800)
    torn = [number for number in range(20)
            if large[number * 40:number * 40 + 40] != list(range(large[number * 40], large[number * 40] + 40))]
    equal("torn packets", torn, [])
    out.close()
    sink.close()


@contextmanager
def stream(count, cpus):
    """Threads that send numbered datagrams through the tunnel as fast as they can."""
    stop = threading.Event()
    sent = [0] * count

    def send(which):
        os.sched_setaffinity(0, cpus)
        with udp_socket("a") as out:
            while not stop.is_set():
                sent[which] += 1
                out.sendto(struct.pack("!II", which, sent[which]) + bytes(64), (IN_B[4], 7000))
    threads = [threading.Thread(target=send, args=(which,)) for which in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def busy(cpus):
    """Streams through the tunnel, from these CPUs. The messages that a sends, and how many
    datagrams came out of order."""
    anew()
    holds("ping", ping("a", IN_B[4]))
    tap = Tap("a", buffer=1 << 27, sent=True)
    sink = udp_socket("b")
    sink.setsockopt(socket.SOL_SOCKET, 33, 1 << 27)
    sink.bind((IN_B[4], 7000))
    all_cpus = os.sched_getaffinity(0)
    with stream(2, cpus) as sent:
        os.sched_setaffinity(0, cpus)
        iperf("-t2", "-P4")
        os.sched_setaffinity(0, all_cpus)
    time.sleep(0.5)
    sink.setblocking(False)
    last, late, got = [0] * len(sent), 0, 0
    while True:
        try:
            which, number = struct.unpack_from("!II", sink.recv(1000))
        except BlockingIOError:
            break
        late += number <= last[which]
        last[which] = number
        got += 1
    messages = [struct.unpack_from("<IQ", body, 4) for _, _, body in tap.messages(kinds=(DATA,))]
    tap.close()
    sink.close()
    note = f"{len(messages)} messages seen, {sum(sent)} datagrams sent, {got} received"
    check.note(note)
    holds(f"some traffic: {note}", len(messages) > 1000 and got > 300)
    # What is lost was dropped somewhere: a queue has its bound, but nothing of it stays behind.
    holds("the tunnel still works", ping("a", IN_B[4]) and ping("b", IN_A[4]))
    return messages, late


def order():
    # rows D11 X3 X6: however many CPUs send, counters leave in order. There may be gaps where a
    # queue was full.
    messages, _ = busy({0, 1})
    equal("counters out of order", sum(1 for one, two in zip(messages, messages[1:])
                                       if one[0] == two[0] and two[1] <= one[1]), 0)
    # row X4: what comes in order, as from one CPU, is delivered in order, however many CPUs
    # decrypt.
    _, late = busy({0})
    equal("datagrams out of order", late, 0)
