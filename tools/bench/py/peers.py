# SPDX-License-Identifier: GPL-2.0
"""What many peers cost, on the module that is loaded: "KEY=VALUE" in seconds of guest time, KiB and
threads.

usage: peers.py COUNT PROCESS   (a process that does nothing, and only when no other process does anything)
"""

import socket
import struct
import sys
import time

from wgtest.check import run
from wgtest.genl import ACK, REQUEST, Client, Device, Peer, attr, merge, name, nth_key, peer, peers
from wgtest.machine import memory, threads

# As many as fit into a message.
CHUNK = 200

results = {}


def prefixes(number):
    high, low = number >> 16, number & 0xffff
    return [f"{10 + high}.{low >> 8}.{low & 255}.0/24", f"fd00:{high:x}:{low:x}::/64"]


def idle():
    """Seconds in which there was nothing to do."""
    with open(f"/proc/{sys.argv[2]}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def busy(action, *words):
    """Seconds of work: that of the call, and that which it leaves to others; and how long the call
    itself took."""
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
    client.set(name("wg0"), attr(Device.PRIVATE_KEY, nth_key(count)))
    # Put together before, so that only the kernel's work is counted.
    groups = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    add = [peers(*(peer(nth_key(n), ips=prefixes(n)) for n in group)) for group in groups]
    remove = [peers(*(peer(nth_key(n), flags=Peer.REMOVE_ME) for n in group)) for group in groups]

    # What a new interface brings with it is over then.
    time.sleep(3)
    results["nothing"], _ = busy(lambda: None)
    # The stacks of threads are taken from vmalloc.
    taken = "Percpu", "VmallocUsed"
    before = threads(), memory(*taken)
    timed("add", ask_all, client, add)
    results["threads"], results["memory"] = threads() - before[0], memory(*taken) - before[1]
    found = []
    timed("dump", lambda: found.extend(client.get_messages(name("wg0"))))
    assert len(merge(found)["peers"]) == count
    timed("key", client.set, name("wg0"), attr(Device.PRIVATE_KEY, nth_key(count + 1)))
    timed("remove", ask_all, client, remove)
    assert not client.get("wg0")["peers"]
    ask_all(client, add)
    timed("delete", delete, socket.if_nametoindex("wg0"))
    print(f"peers={count}", *(f"{what}={number:.6f}" for what, number in results.items()))


main()
