# SPDX-License-Identifier: GPL-2.0
"""Split dumps (rows G of behaviour.tsv)."""

import base64
import os
import subprocess
import tempfile
import threading
import time

from wgtest import check
from wgtest.check import equal, holds, run
from wgtest.genl import (ACK, DUMP, DUMP_INTR, GET, REQUEST, Client, Device, Error, Peer, merge, name, nest, nth_key, parse,
                  peer, peers, u32)

WG0 = name("wg0")
REPLACE = u32(Device.FLAGS, Device.REPLACE_PEERS)

# The smallest that the kernel's messages fit in (NLMSG_GOODSIZE: a page, at most 8 kB), and what
# wg reads with.
SMALL, USUAL = min(os.sysconf("SC_PAGESIZE"), 8192), 8192


def fresh(index=None):
    if os.path.exists("/sys/class/net/wg0"):
        run("ip link del wg0")
    run(f"ip link add wg0 {f'index {index} ' if index else ''}type wireguard")
    return int(open("/sys/class/net/wg0/ifindex", encoding="ascii").read())


def fill(count, prefixes=1, client=None):
    """`count` peers with some prefixes each."""
    client = client or Client()
    for begin in range(0, count, 100):
        client.set(WG0, peers(*(peer(nth_key(n), ips=[f"{10 + n // 256}.{n % 256}.{i}.0/24" for i in range(prefixes)])
                                for n in range(begin, min(begin + 100, count)))))
    client.close()


def words(count):
    """Keys as wg writes them. Any bytes will do."""
    return [base64.b64encode(nth_key(n)).decode() for n in range(count)]


def setconf(lines):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        run(f"wg setconf wg0 {file.name}")


def shown():
    """Lines of `wg show wg0 allowed-ips`, in words."""
    return [line.split() for line in run("wg show wg0 allowed-ips").splitlines()]


class Dump:
    """A dump that is read piece by piece, by a reader with this buffer."""

    def __init__(self, buffer=SMALL, ifname="wg0"):
        self.client = Client(buffer=buffer)
        self.messages = []
        self.ended = False
        self.error = None
        self.interrupted = False
        self.client.send(GET, name(ifname), flags=REQUEST | ACK | DUMP)

    def read(self):
        for message in self.client.receive():
            self.interrupted |= bool(message.flags & DUMP_INTR)
            if message.kind in (2, 3):
                self.ended = True
                number = int.from_bytes(message.payload[:4], "little", signed=True)
                self.error = Error(-number).name if number else None
                self.client.close()
            else:
                self.messages.append(message)
        return self

    def rest(self):
        while not self.ended:
            self.read()
        return self

    def keys(self):
        return [entry["key"] for entry in self.device()["peers"]]

    def device(self):
        return merge(self.messages)


# How GET writes an allowed IP, up to its address: mask, family.
FOUR = bytes.fromhex("1c000080" "0500030010000000" "0600010002000000" "08000200")
SIX = bytes.fromhex("28000080" "0500030080000000" "060001000a000000" "14000200")


# --- as netns.sh of the kernel has them

def one_peer_of_130560_prefixes():
    fresh()
    one, two = words(2)
    lines = ["[Interface]", f"PrivateKey={one}", "[Peer]", f"PublicKey={two}"]
    lines += [f"AllowedIPs={a}.{b}.0.0/16,{a}::{b}/128" for a in range(1, 256) for b in range(256)]
    setconf(lines)
    equal("wg show", [len(line) for line in shown()], [1 + 255 * 256 * 2])

    # Each byte of it, in order, and the shape of the messages.
    digits = [int(str(n), 16).to_bytes(2, "big") for n in range(256)]
    wanted = b"".join(piece for a in range(1, 256) for b in range(256) for piece in (
        FOUR, bytes((a, b, 0, 0)), SIX, digits[a], bytes(12), digits[b]))
    for buffer in (SMALL, USUAL, 1 << 16):
        dump = Dump(buffer).rest()
        equal("end", (dump.error, dump.interrupted), (None, False))
        pieces = []
        for number, message in enumerate(dump.messages):
            attrs = message.attrs()
            # The first peer is never complete before the last message, so each has the device's
            # attributes.
            (_, nested), = [entry for entry in attrs if entry[0] == Device.PEERS]
            (_, one), = parse(nested)
            inner = parse(one)
            # row G6
            if number and [kind for kind, _ in inner] != [Peer.PUBLIC_KEY, Peer.ALLOWEDIPS]:
                check.problem(f"attributes of a peer that goes on: {[kind for kind, _ in inner]}")
            pieces.append(dict(inner)[Peer.ALLOWEDIPS])
        # rows G5 G12
        holds(f"prefixes and their order ({buffer})", b"".join(pieces) == wanted)
        # row G11
        holds(f"{len(dump.messages)} messages", len(dump.messages) > (1 << 22) // buffer)


def forty_peers_of_52_prefixes():
    fresh()
    secrets = words(41)
    lines = ["[Interface]", f"PrivateKey={secrets[0]}"]
    for a in range(1, 41):
        lines += ["[Peer]", f"PublicKey={secrets[a]}"] + [f"AllowedIPs={a}.{b}.0.0/16" for b in range(1, 53)]
    setconf(lines)
    # row G12
    equal("wg show", shown(), [[secrets[a]] + [f"{a}.{b}.0.0/16" for b in range(1, 53)] for a in range(1, 41)])


def thirty_peers_showconf():
    fresh()
    secrets = words(30)
    lines = []
    for secret in secrets:
        lines += ["[Peer]", f"PublicKey={secret}"]
    setconf(lines + ["AllowedIPs=255.2.3.4/32,abcd::255/128"])
    text = run("wg showconf wg0")
    equal("peers", [line.split()[2] for line in text.splitlines() if line.startswith("PublicKey")], secrets)
    holds("prefixes", "AllowedIPs = 255.2.3.4/32, abcd::255/128" in text)


def empty_peer_and_197_prefixes():
    fresh()
    one, two = words(2)
    run(f"wg set wg0 peer {one}")
    run(f"wg set wg0 peer {two} allowed-ips {','.join(f'abcd::{i}' for i in range(1, 198))}")
    equal("wg show", shown(), [[one, "(none)"], [two] + [f"abcd::{i}/128" for i in range(1, 198)]])
    fresh()
    both = ",".join(f"192.168.0.{i},abcd::{i}" for i in range(1, 198))
    run(f"wg set wg0 peer {one} allowed-ips {both}")
    run(f"wg set wg0 peer {one} allowed-ips -192.168.0.1/32,-192.168.0.20/32,-192.168.0.100/32,"
        "-abcd::1/128,-abcd::20/128,-abcd::100/128")
    left = []
    for i in range(1, 198):
        if i not in (1, 20, 100):
            left += [f"192.168.0.{i}/32", f"abcd::{i}/128"]
    equal("after removal", shown(), [[one] + left])


# --- shape

def follow_up_messages():
    fresh()
    fill(60, 3)
    for buffer in (SMALL, USUAL, 1 << 16):
        dump = Dump(buffer).rest()
        shapes = [[kind for kind, _ in message.attrs()] for message in dump.messages]
        # row G2
        equal("first message", shapes[0], [Device.LISTEN_PORT, Device.FWMARK, Device.IFINDEX, Device.IFNAME,
                                           Device.PEERS])
        holds("more than one message", len(shapes) > 1 or buffer > USUAL)
        # row G3
        equal("others", shapes[1:], [[Device.PEERS]] * (len(shapes) - 1))
        # row G4
        equal("peers", [(entry["key"], len(entry["ips"])) for entry in dump.device()["peers"]],
              [(nth_key(n), 3) for n in range(60)])
    # A peer appears with only its key and prefixes where it goes on; the device, as long as no peer
    # is complete.
    fresh()
    fill(1, 250)
    dump = Dump().rest()
    # row G3
    equal("device repeated", [Device.IFNAME in dict(message.attrs()) for message in dump.messages],
          [True] * len(dump.messages))
    equal("prefixes", dump.device()["peers"][0]["ips"], [f"10.0.{i}.0/24" for i in range(250)])


def narrow_receive_buffer():
    """The kernel may queue one message at a time only."""
    fresh()
    fill(100, 2)
    dump = Dump()
    dump.client.socket.setsockopt(1, 8, 1)  # SO_RCVBUF
    equal("peers", dump.rest().keys(), [nth_key(n) for n in range(100)])


# --- changes while half read

def half(ifname="wg0"):
    dump = Dump(ifname=ifname).read()
    holds("half read", not dump.ended)
    return dump


def refused(client, *parts):
    try:
        client.set(*parts)
    except Error as error:
        return error.name
    return "ok"


def interrupted():
    fresh()
    run("ip link add wg1 type wireguard")
    fill(200)
    everybody = [nth_key(n) for n in range(200)]
    client = Client()
    os.seteuid(65534)
    anybody = Client()
    os.seteuid(0)
    for title, change, result, torn in (
            ("nothing", None, None, False),
            ("a mark", lambda: refused(client, WG0, u32(Device.FWMARK, 1)), "ok", True),
            ("the same mark", lambda: refused(client, WG0, u32(Device.FWMARK, 1)), "ok", True),
            ("no attribute", lambda: refused(client, WG0), "ok", True),
            ("an error of the driver", lambda: refused(client, WG0, peers(nest(0))), "EINVAL", True),
            ("an error of the policy", lambda: refused(client, WG0, u32(Device.FLAGS, 2)), "EINVAL", False),
            ("another interface", lambda: refused(client, name("wg1"), u32(Device.FWMARK, 1)), "ok", False),
            ("no interface", lambda: refused(client, u32(Device.FWMARK, 1)), "EBADR", False),
            ("no capability", lambda: refused(anybody, WG0, u32(Device.FWMARK, 3)), "EPERM", False),
            ("up and down", lambda: run("ip link set wg0 up") + run("ip link set wg0 down"), "", False)):
        dump = half()
        if change:
            equal(title, change(), result)
        dump.rest()
        # rows G7 O3
        equal(f"{title}: DUMP_INTR", dump.interrupted, torn)
        equal(f"{title}: end", dump.error, None)
        equal(f"{title}: peers", dump.keys(), everybody)
    # wg begins again by itself, and sees all.
    equal("wg show", len(shown()), 200)
    run("ip link del wg1")


def prefixes_change():
    """The rest of a peer that the dump has begun is left out; the peers after it are in the
    dump."""
    fresh()
    client = Client()
    client.set(WG0, peers(peer(nth_key(0)), peer(nth_key(1), ips=[f"10.{i // 256}.{i % 256}.0/24" for i in range(1500)]),
                          peer(nth_key(2), psk=b"p" * 32, ips=["10.0.0.0/8"])))
    dump = half()
    client.set(WG0, peers(peer(nth_key(2), ips=["11.0.0.0/8"])))
    dump.rest()
    equal("end", (dump.error, dump.interrupted), (None, True))
    equal("peers", dump.keys(), [nth_key(0), nth_key(1), nth_key(2)])
    first, last = dump.device()["peers"][1:]
    holds("the beginning of the list", 0 < len(first["ips"]) < 1500)
    # row G8
    equal("the beginning of the list", first["ips"],
          [f"10.{i // 256}.{i % 256}.0/24" for i in range(len(first["ips"]))])
    equal("the peer after it", (last["ips"], last["psk"]), (["10.0.0.0/8", "11.0.0.0/8"], b"p" * 32))


def peers_removed():
    fresh()
    client = Client()
    count = 120
    fill(count)
    dump = half()
    client.set(WG0, REPLACE)
    dump.rest()
    equal("all removed", (dump.error, dump.interrupted), (None, True))
    seen = dump.keys()
    equal("the beginning was dumped", seen, [nth_key(n) for n in range(len(seen))])
    holds("and no more", 0 < len(seen) < count)
    # row G9
    holds("the last message has no peers", Device.PEERS not in dict(dump.messages[-1].attrs()))
    # The kernel is some messages ahead of us, and its cursor on one of the next peers.
    early = 0
    for victim in range(len(seen) - 2, len(seen) + 1):
        client.set(WG0, REPLACE)
        fill(count)
        dump = half()
        client.set(WG0, peers(peer(nth_key(victim), flags=Peer.REMOVE_ME)))
        dump.rest()
        equal(f"peer {victim} removed", (dump.error, dump.interrupted), (None, True))
        told = dump.keys()
        if len(told) < count - 1:
            early += 1
            equal("told before its end", told, [nth_key(n) for n in range(len(told))])
        else:
            holds("told without it", [k for k in told if k != nth_key(victim)]
                  == [nth_key(n) for n in range(count) if n != victim])
    equal("removals under the cursor", early, 1)
    # What is added comes at the end, in the same dump.
    client.set(WG0, REPLACE)
    fill(count)
    dump = half()
    client.set(WG0, peers(peer(nth_key(count))))
    equal("added", (dump.rest().keys()[-1], dump.interrupted), (nth_key(count), True))


def delete(seconds=3):
    """Deletes wg0 while a reader may have a dump half read; how long that took."""
    begin = time.monotonic()
    try:
        subprocess.run(["ip", "link", "del", "wg0"], check=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        check.problem("the deletion waits for the reader")
    return time.monotonic() - begin


def interface_goes():
    if check.ON_C:
        raise check.Skip("a dump of the C module holds the interface: the deletion waits for the reader (G10)")
    fresh()
    fill(200)
    dump = half()
    # row G10
    holds("deleted at once", delete() < 2)
    dump.rest()
    holds("the dump ends", dump.error in (None, "ENODEV"))
    check.note(f"a dump of what is gone ends with {dump.error}")
    holds("early", len(dump.keys()) < 200)

    index = fresh()
    fill(200)
    dump = half()
    delete()
    run(f"ip link add wg0 index {index} type dummy")
    dump.rest()
    holds("another kind of the same index: an end", dump.error is not None or len(dump.keys()) < 200)
    run("ip link del wg0")

    # It moves out of the reader's sight.
    fresh()
    fill(200)
    run("ip netns add away")
    dump = half()
    run("ip link set wg0 netns away")
    dump.rest()
    holds("moved away: an end", dump.error == "ENODEV" or dump.interrupted or len(dump.keys()) == 200)
    run("ip netns del away")
    check.eventually(5, lambda: not os.path.exists("/run/netns/away"))


def another_with_the_same_index():
    """Half of one interface and half of another must not look like one whole."""
    if check.ON_C:
        raise check.Skip("a dump of the C module holds the interface")
    index = fresh()
    fill(200)
    dump = half()
    delete()
    fresh(index)
    client = Client()
    for begin in (0, 100):
        client.set(WG0, peers(*(peer(bytes([7]) + nth_key(n)[1:]) for n in range(begin, begin + 100))))
    dump.rest()
    holds("torn, or an error", dump.interrupted or dump.error)
    client.close()


def reader_goes():
    """A reader that stops reading holds nothing up."""
    fresh()
    fill(200)
    unread = [Dump() for _ in range(4)]
    for dump in unread:
        dump.read()
    client = Client()
    client.set(WG0, REPLACE)
    for dump in unread:
        dump.client.close()
    holds("deleted", delete(10) < 10)


def steady_changes():
    """While one writer replaces all peers again and again, a dump that is not torn shows one state
    or the other."""
    fresh()
    count = 40
    states = [[bytes([which]) + nth_key(n)[1:] for n in range(count)] for which in (1, 2)]
    messages = [WG0 + REPLACE + peers(*(peer(k, ips=[f"10.{n}.{i}.0/24" for i in range(3)])
                                        for n, k in enumerate(state))) for state in states]
    client = Client()
    client.set(messages[0])
    stop = threading.Event()
    changes = 0

    def write():
        nonlocal changes
        writer = Client()
        while not stop.is_set():
            changes += 1
            writer.set(messages[changes % 2])
    thread = threading.Thread(target=write)
    thread.start()
    whole = torn = 0
    end = time.monotonic() + 2
    try:
        while time.monotonic() < end:
            dump = Dump().rest()
            equal("end", dump.error, None)
            if dump.interrupted:
                torn += 1
                continue
            whole += 1
            holds("one state or the other", dump.keys() in states)
    finally:
        stop.set()
        thread.join()
    check.note(f"{changes} changes, {whole} whole dumps, {torn} torn ones")
    holds("changes and dumps", changes > 3 and whole + torn > 3)


check.main(forty_peers_of_52_prefixes, thirty_peers_showconf, empty_peer_and_197_prefixes, follow_up_messages,
           narrow_receive_buffer, interrupted, prefixes_change, peers_removed, interface_goes,
           another_with_the_same_index, reader_goes, steady_changes, one_peer_of_130560_prefixes)
