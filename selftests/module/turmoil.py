# SPDX-License-Identifier: GPL-2.0
"""Four processes change two interfaces and many short-lived ones, under traffic; then all must be
as they left it.

Each part of the configuration has one process that changes it, which so knows what it must be in
the end. What meets in the kernel is a change with packets, timers, handshakes, dumps and interfaces
that go.
"""

import base64
import os
import pickle
import random
import signal
import socket
import subprocess
import time
import traceback

from wgtest import check
from wgtest.check import note, problem
from wgtest.genl import (ACK, DUMP, DUMP_INTR, GET, REQUEST, Client, Device, Error, Peer, attr, merge, name, namespace, peer, peers,
                  sockaddr, u16, u32)
from wgtest.links import Links

SECONDS = float(os.environ.get("WG_TURMOIL", "20"))
SEED = int(os.environ.get("WG_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
WG0 = name("wg0")
PRIVATE_A, PUBLIC_A, PRIVATE_B, PUBLIC_B = (base64.b64decode(word) for word in os.environ["KEYS"].split())
STEADY_IPS = ["192.168.7.2/32", "fd77::2/128"]


def fresh_key(rng):
    """A public key is any 32 bytes."""
    return rng.randbytes(31) + b"\x40"


class PeersOfA:
    """The peers of a's interface, except the one that carries the traffic, and what they must look
    like."""

    def __init__(self, rng):
        self.rng, self.client, self.rounds = rng, Client("a"), 0
        # By key: preshared key, keepalive, allowed IPs in order.
        self.known = {}

    def some_ips(self, count):
        return [f"10.{self.rng.randrange(96, 128)}.{self.rng.randrange(4)}.0/{self.rng.randrange(22, 25)}"
                for _ in range(count)]

    def give(self, key, ips):
        """Enters prefixes for a peer, and takes them from others."""
        for text in ips:
            address, length = text.split("/")
            bits = int.from_bytes(socket.inet_aton(address), "big") & ~((1 << (32 - int(length))) - 1)
            masked = f"{socket.inet_ntoa(bits.to_bytes(4, 'big'))}/{length}"
            for other in self.known.values():
                if masked in other["ips"]:
                    other["ips"].remove(masked)
            self.known[key]["ips"].append(masked)

    def new(self, key):
        """An element that makes this peer."""
        rng = self.rng
        psk, keepalive, ips = rng.randbytes(32), rng.choice((0, 0, 1, 25)), self.some_ips(rng.randrange(4))
        port = rng.choice((51822, 7, 5999))
        self.known[key] = {"psk": psk, "keepalive": keepalive, "ips": []}
        self.give(key, ips)
        return peer(key, psk=psk, keepalive=keepalive, endpoint=sockaddr("10.0.0.2", port), ips=ips)

    def add(self):
        elements = [self.new(fresh_key(self.rng)) for _ in range(self.rng.randrange(1, 20))]
        self.client.set(WG0, peers(*elements))

    def chosen(self, most):
        keys = list(self.known)
        return self.rng.sample(keys, min(len(keys), self.rng.randrange(1, most + 1)))

    def remove(self):
        gone = self.chosen(30)
        self.client.set(WG0, peers(*(peer(key, flags=Peer.REMOVE_ME) for key in gone)))
        for key in gone:
            del self.known[key]

    def replace_all(self):
        steady = peer(PUBLIC_B, endpoint=sockaddr("10.0.0.2", 51822), ips=STEADY_IPS)
        self.known = {}
        self.client.set(WG0, u32(Device.FLAGS, Device.REPLACE_PEERS),
                        peers(steady, *(self.new(fresh_key(self.rng)) for _ in range(self.rng.randrange(10)))))

    def replace_ips(self):
        for key in self.chosen(3):
            ips = self.some_ips(self.rng.randrange(6))
            self.known[key]["ips"] = []
            self.give(key, ips)
            self.client.set(WG0, peers(peer(key, flags=Peer.REPLACE_ALLOWEDIPS, ips=ips)))

    def change(self):
        for key in self.chosen(3):
            psk, keepalive = self.rng.randbytes(32), self.rng.choice((0, 1, 2))
            self.known[key].update(psk=psk, keepalive=keepalive)
            self.client.set(WG0, peers(peer(key, flags=Peer.UPDATE_ONLY, psk=psk, keepalive=keepalive)))

    def update_nobody(self):
        self.client.set(WG0, peers(peer(fresh_key(self.rng), flags=Peer.UPDATE_ONLY, ips=self.some_ips(3))))

    def step(self):
        full = len(self.known) > 200
        self.rng.choice((self.add, self.add, self.remove, self.remove if full else self.add, self.replace_ips, self.change,
                         self.update_nobody, self.replace_all if self.rng.random() < 0.2 else self.change))()
        # Not so fast that the kernel's log could not hold what they make.
        time.sleep(self.rng.random() / 50)

    def end(self):
        return self.known


class Settings:
    """Keys, ports, marks, up and down of both interfaces."""

    def __init__(self, rng):
        self.rng, self.rounds = rng, 0
        self.ends = {ns: (Client(ns), Links(ns)) for ns in "ab"}
        self.state = {"a": {"private": PRIVATE_A, "port": 51821, "fwmark": 0},
                      "b": {"private": PRIVATE_B, "port": 51822, "fwmark": 0}}

    def step(self):
        ns = self.rng.choice("ab")
        client, links = self.ends[ns]
        state = self.state[ns]
        choice = self.rng.randrange(50)
        if choice == 0:
            # Rarely, as it takes seconds until there is a session again. Back to the key that the
            # other end knows.
            client.set(WG0, attr(Device.PRIVATE_KEY, fresh_key(self.rng)))
            time.sleep(self.rng.random() / 10)
            client.set(WG0, attr(Device.PRIVATE_KEY, state["private"]))
        elif choice < 10:
            state["port"] = (51821 if ns == "a" else 51822) + 10 * self.rng.randrange(3)
            client.set(WG0, u16(Device.LISTEN_PORT, state["port"]))
        elif choice < 20:
            state["fwmark"] = self.rng.randrange(3)
            client.set(WG0, u32(Device.FWMARK, state["fwmark"]))
        elif choice < 30:
            links.down("wg0")
            links.up("wg0")
        time.sleep(self.rng.random() / 10)

    def end(self):
        return self.state


class Spaces:
    """Namespaces with interfaces in them that exit, and links that are deleted while their dump is
    half read."""

    def __init__(self, rng):
        self.rng, self.rounds, self.links, self.client = rng, 0, Links("a"), Client("a")

    def inside(self, space):
        """In a process and a namespace of its own: sockets in ours or in it, sessions under way,
        and then the end."""
        os.unshare(os.CLONE_NEWNET)
        own = Links()
        if self.rng.random() < 0.5:
            with open("/proc/self/ns/net", "rb") as here:
                self.links.add(space, into=here.fileno())
        else:
            own.add(space)
        client = Client()
        client.set(name(space), attr(Device.PRIVATE_KEY, self.rng.randbytes(32)),
                   peers(*(peer(fresh_key(self.rng), endpoint=sockaddr("10.0.0.2", 51822), keepalive=self.rng.randrange(2),
                                ips=["0.0.0.0/0"]) for _ in range(self.rng.randrange(10)))))
        own.up(space)
        # A packet for the last peer, by the link's own address: a datagram to its all-nodes group.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.SOL_SOCKET, 25, space.encode())  # SO_BINDTODEVICE
            for _ in range(self.rng.randrange(20)):
                try:
                    out.sendto(b"x" * 200, ("10.1.2.3", 9))
                except OSError:
                    pass
        if self.rng.random() < 0.3:
            own.delete(space)

    def exiting(self):
        space = f"n{self.rounds}"
        child = os.fork()
        if not child:
            status = 1
            try:
                self.rng.seed(self.rng.random() + os.getpid())
                self.inside(space)
                status = 0
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
            finally:
                os._exit(status)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("a short-lived namespace ended with an error")

    def half_read(self):
        self.links.add("wg9")
        other = name("wg9")
        for _ in range(3):
            self.client.set(other, peers(*(peer(fresh_key(self.rng), ips=[f"10.9.{n}.0/24"]) for n in range(60))))
        self.links.up("wg9")
        # A buffer of 4 KiB splits the dump into several messages.
        reader = Client("a", buffer=4096)
        reader.send(GET, other, flags=REQUEST | ACK | DUMP)
        for _ in range(self.rng.randrange(2)):
            reader.receive()
        self.links.delete("wg9")
        if self.rng.random() < 0.5:
            try:
                reader.answers()
            except Error as error:
                if error.name != "ENODEV":
                    raise
        reader.close()

    def step(self):
        self.rng.choice((self.exiting, self.exiting, self.half_read))()

    def end(self):
        return None


class Dumps:
    """Readers, some of which go away half-way, or wait a little."""

    def __init__(self, rng):
        self.rng, self.rounds = rng, 0

    def step(self):
        reader = Client(self.rng.choice("aab"), buffer=self.rng.choice((4096, 8192, 65536)))
        reader.socket.settimeout(60)
        reader.send(GET, WG0, flags=REQUEST | ACK | DUMP)
        is_done = False
        for _ in range(self.rng.randrange(5)):
            if is_done:
                break
            is_done = any(message.kind == 3 for message in reader.receive())  # NLMSG_DONE
            if self.rng.random() < 0.3:
                time.sleep(self.rng.random() / 20)
        if is_done:
            messages = reader.get_messages(WG0)
            # What changed meanwhile may lack its beginning; the kernel marks such a dump, and user
            # space asks again.
            if not any(flags & DUMP_INTR for flags in (reader.done_flags, *(message.flags for message in messages))):
                merge(messages)
        reader.close()

    def end(self):
        return None


def worker(kind, seed, until, pipe):
    """One process: steps until the time is over, then tells how many, and what it left."""
    report = {"name": kind.__name__}
    try:
        state = kind(random.Random(seed))
        while time.monotonic() < until:
            state.step()
            state.rounds += 1
        report.update(rounds=state.rounds, end=state.end())
    except BaseException:  # pylint: disable=broad-except
        report["error"] = traceback.format_exc()
    with os.fdopen(pipe, "wb") as file:
        pickle.dump(report, file)


def started(kind, seed, until):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        # What stops the traffic must not stop the worker.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        worker(kind, seed, until, write)
        os._exit(0)
    os.close(write)
    return child, os.fdopen(read, "rb")


def sender():
    """Datagrams to wherever a's peers may be."""
    rng = random.Random(SEED)
    with namespace("a"):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        try:
            out.sendto(bytes(rng.randrange(1200)), (f"10.{rng.randrange(96, 128)}.{rng.randrange(4)}.1", 9))
        except OSError:
            time.sleep(0.01)


def traffic():
    """The processes that send: floods both ways, of both families, in small and large packets, and
    datagrams."""
    def flood(ns, *words):
        return subprocess.Popen(["ip", "netns", "exec", ns, "ping", "-q", "-i", "0.002", *words],  # pylint: disable=consider-using-with
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    jobs = [flood("a", "192.168.7.2"), flood("b", "-s", "3000", "fd77::1")]
    child = os.fork()
    if not child:
        sender()
    return jobs, child


def pings():
    """How many each end has sent."""
    def of(ns):
        shown = subprocess.run(["ip", "netns", "exec", ns, "nstat", "-asz", "IcmpOutEchos", "Icmp6OutEchos"],
                               check=True, capture_output=True, text=True).stdout
        return sum(int(line.split()[1]) for line in shown.splitlines() if "OutEchos" in line)
    return [of(ns) for ns in "ab"]


def received():
    """Bytes that each end has from its peers."""
    return [sum(p["rx"] for p in Client(ns).get("wg0")["peers"]) for ns in "ab"]


def in_order(device):
    return [(p["key"], p["psk"], p["keepalive"], p["ips"]) for p in device["peers"] if p["key"] not in (PUBLIC_A, PUBLIC_B)]


def compare(reports):
    """The dump of each interface with what the processes left."""
    settings, known = reports["Settings"]["end"], reports["PeersOfA"]["end"]
    for ns in "ab":
        device = Client(ns).get("wg0")
        for what in ("private", "port"):
            check.equal(f"{ns}: {what}", device[what], settings[ns][what])
        check.equal(f"{ns}: fwmark", device.get("fwmark", 0), settings[ns]["fwmark"])
        expected = [(key, p["psk"], p["keepalive"], p["ips"]) for key, p in known.items()] if ns == "a" else []
        seen = in_order(device)
        if seen != expected:
            problem(f"{ns}: {len(seen)} peers, {len(expected)} expected; those that differ:")
            for left, right in zip(seen, expected):
                if left != right:
                    problem(f"    {left}\n    {right}")
    steady = [p for p in Client("a").get("wg0")["peers"] if p["key"] == PUBLIC_B]
    check.equal("a: the steady peer", [p["ips"] for p in steady], [STEADY_IPS])


def still_works():
    """After the storm, with its first settings again, the tunnel carries packets."""
    for ns, private, port, other, far in (("a", PRIVATE_A, 51821, PUBLIC_B, "10.0.0.2"),
                                          ("b", PRIVATE_B, 51822, PUBLIC_A, "10.0.0.1")):
        Client(ns).set(WG0, attr(Device.PRIVATE_KEY, private), u16(Device.LISTEN_PORT, port), u32(Device.FWMARK, 0),
                       peers(peer(other, endpoint=sockaddr(far, 51821 + (ns == "a")))))
    command = "ip netns exec a ping -q -c 1 -W 1 192.168.7.2"
    if not check.eventually(30, lambda: subprocess.run(command.split(), capture_output=True, check=False).returncode == 0):
        problem("the tunnel does not work any more")


def turmoil():
    note(f"seed {SEED}, {SECONDS:.0f} s")
    first, sent = received(), pings()
    jobs, child = traffic()

    def begun():
        return min(received()) > max(first) + 5000 and all(now > old + 10 for old, now in zip(sent, pings()))
    # A flood that found its interface down would never begin. Each has its own end: one alone makes
    # both ends receive.
    check.holds("no traffic to begin with", check.eventually(60, begun))
    before = received()
    until = time.monotonic() + SECONDS
    running = [started(kind, SEED + number, until) for number, kind in enumerate((PeersOfA, Settings, Spaces, Dumps))]
    reports = {}
    for pid, pipe in running:
        with pipe:
            report = pickle.load(pipe)
        os.waitpid(pid, 0)
        reports[report["name"]] = report
        if "error" in report:
            problem(f"{report['name']}: {report['error']}")
        else:
            note(f"{report['name']}: {report['rounds']} steps")
            check.holds(f"{report['name']} did nothing", report["rounds"])
    for job in jobs:
        check.equal("a flood has ended", job.poll(), None)
        job.terminate()
        job.wait()
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    after = received()
    note(f"bytes received before {before}, after {after}")
    # It was under traffic: ten pings a second, where far more are sent; fewer where the processors
    # are slow.
    patience = int(os.environ.get("WG_PATIENCE", "1"))
    check.holds("hardly a packet came through", after[1] > before[1] + 1000 * SECONDS / patience)
    if check.failures == 0:
        compare(reports)
        still_works()


check.main(turmoil)
