# SPDX-License-Identifier: GPL-2.0
"""What many peers cost: threads, the time in which an interface goes, and how long removing peers
holds up others.

"measure" prints names and numbers for the module that is loaded; "compare OURS C" shows and judges
two such lists.
"""

import multiprocessing
import socket
import struct
import sys
import time

from wgtest.check import run
from wgtest.genl import ACK, REQUEST, Client, Peer, name, nth_key, peer, peers, u32
from wgtest.machine import threads

PEERS = 2000
REMOVED = 1000
# As many as fit into a message.
CHUNK = 250
# Threads that come and go by themselves: workers of the kernel.
NOISE = 20


def disturbed(started, stop, worst, index):
    """Changes a bystander again and again, as any user of RTNL would, and keeps the longest time
    that took."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    started.set()
    while not stop.is_set():
        for mtu in (1400, 1401):
            begin = time.monotonic()
            # RTM_NEWLINK with a struct ifinfomsg and IFLA_MTU
            route.send(struct.pack("=IHHII", 40, 16, REQUEST | ACK, 1, 0)
                       + struct.pack("=BxHiII", 0, 0, index, 0, 0) + u32(4, mtu))
            status, = struct.unpack_from("=i", route.recv(4096), 16)
            assert status == 0, f"RTM_NEWLINK: error {status}"
            worst.value = max(worst.value, time.monotonic() - begin)
        time.sleep(0.001)


def fill(client):
    for first in range(0, PEERS, CHUNK):
        client.set(name("wg0"), peers(*(peer(nth_key(n), ips=[f"10.{n // 250}.{n % 250}.0/24"])
                                        for n in range(first, first + CHUNK))))


def measure():
    run("ip link add bystander type dummy")
    with open("/sys/class/net/bystander/ifindex", encoding="ascii") as file:
        index = int(file.read())
    run("ip link add wg0 type wireguard")
    client = Client()
    before = threads()
    begin = time.monotonic()
    fill(client)
    print("add-seconds", time.monotonic() - begin)
    print("threads", threads() - before)
    run("ip link set wg0 up")

    started, stop = multiprocessing.Event(), multiprocessing.Event()
    worst = multiprocessing.Value("d", 0.0)
    other = multiprocessing.Process(target=disturbed, args=(started, stop, worst, index))
    other.start()
    assert started.wait(20)
    # What it takes to wait on this machine without us.
    time.sleep(1)
    calm, worst.value = worst.value, 0.0
    begin = time.monotonic()
    # By 32 bytes of key and 4 of flags, all fit into one message.
    client.set(name("wg0"), peers(*(peer(nth_key(n), flags=Peer.REMOVE_ME) for n in range(REMOVED))))
    print("remove-seconds", time.monotonic() - begin)
    stop.set()
    other.join()
    assert other.exitcode == 0
    print("calm-seconds", calm)
    print("rtnl-seconds", worst.value)
    assert len(client.get("wg0")["peers"]) == PEERS - REMOVED

    client.set(name("wg0"), peers(*(peer(nth_key(n)) for n in range(REMOVED))))
    assert len(client.get("wg0")["peers"]) == PEERS
    begin = time.monotonic()
    run("ip link del wg0")
    print("delete-seconds", time.monotonic() - begin)
    run("ip link del bystander")


def read(path):
    with open(path, encoding="ascii") as file:
        return {what: float(number) for what, number in map(str.split, file)}


def compare():
    ours, c = map(read, sys.argv[2:])
    print(f"{'':<18}{'ours':>10}{'C':>10}")
    for what, number in ours.items():
        print(f"{what:<18}{number:>10.3f}{c[what]:>10.3f}")
    failures = [text for text, failed in (
        ("peers have threads", ours["threads"] >= NOISE),
        ("the interface takes more than 2 s to go", ours["delete-seconds"] > 2),
        ("others wait more than a quarter of what they wait for C", ours["rtnl-seconds"] > c["rtnl-seconds"] / 4),
    ) if failed]
    print("\n".join(f"FAIL: {text}" for text in failures))
    sys.exit(1 if failures else 0)


{"measure": measure, "compare": compare}[sys.argv[1]]()
