# SPDX-License-Identifier: GPL-2.0
"""Runs in the guest: floods of wg0 in "near" from "far", and what they do to the tunnel from "near"
to "other".

usage: floods.py SEED replay COUNT
       floods.py SEED KIND RATE SECONDS

KIND is "type" (no message at all), "mac1" (a wrong one), "valid" (a right mac1, nothing else),
"data" (an unknown index) or "initiation" (one that was accepted before). The tunnel's rate is
measured without and with the flood, then how long a peer without session takes to get one.
"""

import base64
import os
import random
import socket
import struct
import subprocess
import sys
import time

from wgtest.far import PORT, REMOTE, Peer
from wgtest.genl import Client, name, namespace, peer, peers
from wgtest.machine import memory, refusals
from wgtest.noise import Handshake, Session, add_macs, public

ON_C = os.environ.get("WG_MODULE") == "c"


def dropped():
    return {} if ON_C else refusals()


def replay(count):
    """A million recorded packets from another address: none counts, none moves the endpoint."""
    far = Peer()
    recorded = [far.session.data(counter=counter) for counter in range(1, 4001)]
    far.send(*recorded)
    time.sleep(1)
    client = Client("near")
    before, counts, slab = client.get("wg0")["peers"][0], dropped(), memory()
    with namespace("far"):
        elsewhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    elsewhere.bind(("10.0.0.2", 0))
    elsewhere.connect(("10.0.0.1", PORT))
    far.socket = elsewhere
    size = len(recorded[0])
    for start in range(0, count, 40):
        place = start % len(recorded)
        far.send(*recorded[place:place + 40], segment=size)
    time.sleep(2)
    after = client.get("wg0")["peers"][0]
    growth = memory() - slab
    if not ON_C:
        refused = sum(dropped().values()) - sum(counts.values())
        assert refused == count, f"{refused} of {count} were refused"
    for what in ("endpoint", "rx", "handshake"):
        assert before[what] == after[what], f"{what}: {before[what]}, then {after[what]}"
    assert growth < 1024, f"{growth} KiB more in slabs"
    print(f"result replayed={count} slab-KiB={growth:.0f}")


def messages(kind, out):
    """What the flood consists of, endlessly."""
    local = base64.b64decode(run("near", "wg", "show", "wg0", "public-key"))
    if kind == "initiation":
        Client("near").set(name("wg0"), peers(peer(public(REMOTE))))
        again = Handshake(REMOTE, local).initiation()
        out.send(again)
        assert len(out.recv(2000)) == 92, "the initiation was not accepted"
        while True:
            yield again
    session = Session(0, 1, bytes(32), b"")
    many = []
    for _ in range(64):
        body = struct.pack("<II", 1, random.getrandbits(32)) + random.randbytes(108)
        many.append({
            "type": lambda body=body: b"\7" + body[1:],
            "mac1": lambda body=body: body + random.randbytes(32),
            "valid": lambda body=body: add_macs(body, local),
            "data": lambda: Session(0, random.getrandbits(32), session.sending, b"").data(bytes(96)),
        }[kind]())
    while True:
        yield from many


def flood(kind, rate, seconds):
    """Sends `rate` messages in a second."""
    with namespace("flood"):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect(("10.1.0.1", PORT))
    source = messages(kind, out)
    next(source)
    print("ready", flush=True)
    begin, sent = time.monotonic(), 0
    while (now := time.monotonic() - begin) < seconds:
        while sent < rate * now:
            try:
                out.send(next(source))
            except ConnectionRefusedError:
                pass
            sent += 1
        time.sleep(0.001)
    print(sent, flush=True)


def inside(where, *command):
    return ["ip", "netns", "exec", where, *command]


def run(where, *command):
    return subprocess.run(inside(where, *command), capture_output=True, text=True, check=False).stdout


def throughput():
    """Mbit/s from near to other, by TCP for two seconds."""
    server = subprocess.Popen(inside("other", "iperf3", "--server", "--one-off"), stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    text = run("near", "iperf3", "--client", "192.168.7.2", "--time", "2", "--format", "m")
    server.wait()
    return float(next(line for line in text.splitlines() if "receiver" in line).split()[6])


def handshake():
    """Seconds until a peer that has no session has one and is answered."""
    for command in (("ip", "link", "set", "wg0", "down"), ("ip", "link", "set", "wg0", "up")):
        run("other", *command)
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        if "1 received" in run("other", "ping", "-c", "1", "-W", "0.2", "192.168.7.1"):
            return time.monotonic() - begin
    return 60.0


def busy():
    """CPU time in seconds, all but idle time."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / 100


def judge(kind, rate, seconds):
    """Measures beside a flood."""
    calm = throughput()
    slab = memory()
    with subprocess.Popen([sys.executable, "-B", __file__, sys.argv[1], "--flood", kind, str(rate), str(seconds)],
                          stdout=subprocess.PIPE, text=True) as noisy:
        noisy.stdout.readline()
        spent, begin = busy(), time.monotonic()
        time.sleep(2)
        load = 100 * (busy() - spent) / (time.monotonic() - begin)
        growth = memory() - slab
        rate_then = throughput()
        wait = handshake()
        assert noisy.poll() is None, "the flood ended too early"
        sent = int(noisy.stdout.readline())
    print(f"result kind={kind} rate={rate} sent={sent} calm-Mbit={calm:.0f} flooded-Mbit={rate_then:.0f} "
          f"cpu-percent={load:.0f} slab-KiB={growth:.0f} handshake-s={wait:.2f}")
    assert wait <= 10, f"a handshake took {wait:.1f} s"


if __name__ == "__main__":
    seed, *words = sys.argv[1:]
    random.seed(int(seed))
    if words[0] == "replay":
        replay(int(words[1]))
    elif words[0] == "--flood":
        flood(words[1], int(words[2]), float(words[3]))
    else:
        judge(words[0], int(words[1]), float(words[2]))
