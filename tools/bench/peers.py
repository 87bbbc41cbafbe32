# SPDX-License-Identifier: GPL-2.0
"""What many peers cost, on the module that is loaded: "KEY=VALUE" in seconds of guest time, KiB and threads.

usage: peers.py COUNT PROCESS   (a process that does nothing, and only when nobody else does anything)
"""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests/lib"))

# pylint: disable=wrong-import-position
from check import run
from genl import ACK, REQUEST, Client, Device, Peer, attr, merge, name, peer, peers

# As many as fit into a message.
CHUNK = 200

results = {}


def key(number):
    return number.to_bytes(4, "big") + bytes([1]) * 28


def prefixes(number):
    return [f"10.{number >> 8}.{number & 255}.0/24", f"fd00:{number:x}::/64"]


def threads():
    """How many there are in the whole machine."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def idle():
    """Seconds in which there was nothing to do."""
    with open(f"/proc/{sys.argv[2]}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def memory():
    """KiB in slab objects, per-CPU memory and vmalloc, which stacks are taken from.

    Not the free pages: earlier runs have left slabs behind that are partly empty.
    """
    with open("/proc/slabinfo", encoding="ascii") as file:
        slabs = [line.split() for line in file if not line.startswith(("slabinfo", "#"))]
    with open("/proc/meminfo", encoding="ascii") as file:
        pages = {key: int(rest.split()[0]) for key, _, rest in (line.partition(":") for line in file)}
    objects = sum(int(active) * int(size) for _, active, _, size, *_ in slabs)
    return objects / 1024 + pages["Percpu"] + pages["VmallocUsed"]


def busy(action, *words):
    """Seconds of work: that of the call, and that which it leaves to others; and how long the call itself took."""
    begin_idle, begin = idle(), time.monotonic()
    action(*words)
    call = time.monotonic() - begin
    time.sleep(0.3)
    return time.monotonic() - begin - (idle() - begin_idle), call


def timed(what, action, *words):
    """Notes what the action costs beyond doing nothing."""
    work, call = busy(action, *words)
    results[what], results[what + "-call"] = work - results["nothing"], call


def delete(index):
    """RTM_DELLINK with a struct ifinfomsg"""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route:
        route.send(struct.pack("=IHHII", 32, 17, REQUEST | ACK, 1, 0) + struct.pack("=BxHiII", 0, 0, index, 0, 0))
        status, = struct.unpack_from("=i", route.recv(4096), 16)
    assert status == 0, f"RTM_DELLINK: error {status}"


def ask_all(client, messages):
    for message in messages:
        client.set(name("wg0"), message)


def main():
    count = int(sys.argv[1])
    run("ip link add wg0 type wireguard")
    run("ip link set wg0 up")
    client = Client()
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, key(count)))
    # Put together before, so that only the kernel's work is counted.
    groups = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    add = [peers(*(peer(key(n), ips=prefixes(n)) for n in group)) for group in groups]
    remove = [peers(*(peer(key(n), flags=Peer.REMOVE_ME) for n in group)) for group in groups]

    # What a new interface brings with it is over then.
    time.sleep(3)
    results["nothing"], _ = busy(lambda: None)
    before = threads(), memory()
    timed("add", ask_all, client, add)
    results["threads"], results["memory"] = threads() - before[0], memory() - before[1]
    found = []
    timed("dump", lambda: found.extend(client.get_messages(name("wg0"))))
    assert len(merge(found)["peers"]) == count
    timed("key", client.set, name("wg0"), attr(Device.PRIVATE_KEY, key(count + 1)))
    timed("remove", ask_all, client, remove)
    assert not client.get("wg0")["peers"]
    ask_all(client, add)
    timed("delete", delete, socket.if_nametoindex("wg0"))
    print(f"peers={count}", *(f"{what}={number:.6f}" for what, number in results.items()))


main()
