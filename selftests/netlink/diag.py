#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The family "wireguard-diag" by a client made from its schema; in a namespace with wg0 and a peer.

usage: diag.py PEER-KEY SECRET…     secrets that no answer may hold
"""

import base64
import errno
import os
import select
import socket
import subprocess
import sys

import netlink
import schema

SO_RCVBUFFORCE = 33
KEY = base64.b64decode(sys.argv[1])
SECRETS = [base64.b64decode(text) for text in sys.argv[2:]]
NAMES = {name: number for number, (name, *_) in schema.SETS["diag"].items()}
PEER = {name: number for number, (name, *_) in schema.SETS["peer"].items()}


def wg(*words, stdin=None):
    return subprocess.run(["wg", *words], check=True, capture_output=True, input=stdin).stdout.decode()


def check(what, seen, wanted):
    if seen != wanted:
        raise SystemExit(f"FAIL: {what}: {seen!r}, not {wanted!r}")


class Spy(netlink.Client):
    """Looks for secrets in what comes."""

    def messages(self):
        for message in super().messages():
            for secret in SECRETS:
                if secret in message[3]:
                    raise SystemExit("FAIL: a secret is in an answer")
            yield message


def refused(client, what, number, sentence, command, payload, flags=netlink.ACK):
    """A request must fail so, with these words in its sentence."""
    before = client.dump(ifname="wg0")[1:] if os.geteuid() == 0 else None
    try:
        client.exchange(schema.COMMANDS[command], payload, flags)
    except netlink.Refused as error:
        check(what, errno.errorcode[error.errno], errno.errorcode[number])
        if sentence not in error.strerror:
            raise SystemExit(f"FAIL: {what}: the sentence is {error.strerror!r}") from error
    else:
        raise SystemExit(f"FAIL: {what}: not refused")
    if before is not None:
        keep = ("name", "pin", "in-mark", "in-priority", "out-mark", "out-priority", "psk-generation", "changed")
        after = client.dump(ifname="wg0")[1:]
        check(f"{what}: what is set", [{name: entry["peer"].get(name) for name in keep} for entry in after],
              [{name: entry["peer"].get(name) for name in keep} for entry in before])


def attr(name, payload):
    return netlink.attribute(NAMES[name], payload)


def peer_attr(name, payload):
    return netlink.attribute(PEER[name], payload)


def nest(*parts):
    return netlink.attribute(NAMES["peer"] | 0x8000, b"".join(parts))


DEVICE = attr("ifname", b"wg0\0")
IS = peer_attr("public-key", KEY)


def bad_requests(client):
    """Each attribute with wrong length, type, range and nesting."""
    inval, erange = errno.EINVAL, errno.ERANGE
    long_name = b"x" * 64 + b"\0"
    for what, number, sentence, command, payload in [
            ("no interface", inval, "either its index or its name", "get", b""),
            ("both names", inval, "either its index or its name", "get", DEVICE + attr("ifindex", bytes(4))),
            ("a long name of an interface", inval, "", "get", attr("ifname", b"x" * 20 + b"\0")),
            ("a short index", inval, "", "get", attr("ifindex", b"\1\0")),
            ("no WireGuard", errno.EOPNOTSUPP, "none of WireGuard", "get", attr("ifname", b"lo\0")),
            ("no such index", errno.ENODEV, "no such interface", "get", attr("ifindex", b"\x77\x77\x77\x07")),
            ("a short key", erange, "", "get", DEVICE + attr("public-key", KEY[:-1])),
            ("a long key", erange, "", "get", DEVICE + attr("public-key", KEY + b"x")),
            ("nobody's key", errno.ENOENT, "no peer has this key", "get", DEVICE + attr("public-key", bytes(32))),
            ("an address of 5 bytes", inval, "4 or 16 bytes", "get", DEVICE + attr("owner-of", bytes(5))),
            ("an address of 3 bytes", erange, "", "get", DEVICE + attr("owner-of", bytes(3))),
            ("nobody's address", errno.ENOENT, "in no peer's allowed IPs", "get", DEVICE + attr("owner-of", b"\1\1\1\1")),
            ("key and address", inval, "not both", "get",
             DEVICE + attr("public-key", KEY) + attr("owner-of", b"\1\1\1\1")),
            ("an attribute for answers", inval, "", "get", DEVICE + attr("generation", bytes(4))),
            ("an unknown attribute", inval, "", "get", DEVICE + netlink.attribute(77, b"")),
            ("a filter of dumps", inval, "", "get", DEVICE + attr("only-trouble", b"")),
            ("nothing to set", inval, "changes nothing", "set", DEVICE),
            ("reading for 2", erange, "", "set", DEVICE + attr("unprivileged-read", b"\2")),
            ("no peer named", inval, "by its public key", "set", DEVICE + nest(peer_attr("name", b"x\0"))),
            ("nobody", errno.ENOENT, "no peer has this key", "set", DEVICE + nest(peer_attr("public-key", bytes(32)))),
            ("a long name", inval, "", "set", DEVICE + nest(IS, peer_attr("name", long_name))),
            ("a name without an end", inval, "", "set", DEVICE + nest(IS, peer_attr("name", b"x"))),
            ("a name that is no text", inval, "UTF-8", "set", DEVICE + nest(IS, peer_attr("name", b"\xff\xfe\0"))),
            ("a name with an escape", inval, "control", "set", DEVICE + nest(IS, peer_attr("name", b"\x1b[2J\0"))),
            ("a name with C1's CSI", inval, "control", "set", DEVICE + nest(IS, peer_attr("name", b"\xc2\x9b2J\0"))),
            ("nothing to set for a peer", inval, "changes nothing", "set", DEVICE + nest(IS)),
            ("a pin of 3", erange, "", "set", DEVICE + nest(IS, peer_attr("pin", b"\3\0\0\0"))),
            ("a pin of 2 bytes", inval, "", "set", DEVICE + nest(IS, peer_attr("pin", b"\1\0"))),
            ("a mark of 8 bytes", inval, "", "set", DEVICE + nest(IS, peer_attr("in-mark", bytes(8)))),
            ("a good setting before a bad one", erange, "", "set",
             DEVICE + nest(IS, peer_attr("name", b"half\0"), peer_attr("pin", b"\3\0\0\0"))),
            ("a good setting before a bad name", inval, "UTF-8", "set",
             DEVICE + nest(IS, peer_attr("in-mark", b"\1\0\0\0"), peer_attr("name", b"\xff\0"))),
            ("a good reader, nobody's peer", errno.ENOENT, "no peer", "set",
             DEVICE + attr("unprivileged-read", b"\0") + nest(peer_attr("public-key", bytes(32)))),
            ("an attribute for answers of a peer", inval, "", "set", DEVICE + nest(IS, peer_attr("state", bytes(4)))),
            ("a nest that is not marked", inval, "", "set", DEVICE + netlink.attribute(NAMES["peer"], IS)),
            ("a nest that is a number", erange, "", "set", DEVICE + netlink.attribute(NAMES["peer"] | 0x8000, b"\1\2"))]:
        refused(client, what, number, sentence, command, payload)
    # One that exists, in the namespace b.
    subprocess.run(["ip", "-n", "b", "link", "add", "wg7", "index", "7777", "type", "wireguard"], check=True)
    refused(client, "the index of another namespace", errno.ENODEV, "no such interface", "get",
            attr("ifindex", (7777).to_bytes(4, sys.byteorder)))
    subprocess.run(["ip", "-n", "b", "link", "del", "wg7"], check=True)
    check("reading is still allowed", client.get(ifname="wg0")["unprivileged-read"], 1)


def filters(client):
    """The peers that are asked for, and no others."""
    def keys(**asked):
        return [entry["peer"]["public-key"] for entry in client.dump(ifname="wg0", **asked) if "peer" in entry]
    other = os.urandom(32)
    generation = client.get(ifname="wg0")["generation"]
    wg("set", "wg0", "peer", base64.b64encode(other).decode(), "allowed-ips", "10.9.0.0/16")
    check("all peers", keys(), [KEY, other])
    check("a key", keys(public_key=other), [other])
    check("an owner", keys(owner_of=bytes([10, 9, 8, 7])), [other])
    check("one key", client.get(ifname="wg0", public_key=KEY)["peer"]["public-key"], KEY)
    check("changed", keys(changed_since=generation), [other])
    check("unchanged", keys(changed_since=generation + 1), [])
    check("no trouble", keys(only_trouble=True), [])
    # A packet for a peer that is nowhere.
    subprocess.run(["ip", "route", "add", "10.9.0.0/16", "dev", "wg0"], check=True)
    subprocess.run(["ping", "-c", "1", "-W", "0.2", "10.9.0.1"], check=False, capture_output=True)
    check("trouble", keys(only_trouble=True), [other])
    refusals = client.get(ifname="wg0", public_key=other)["peer"]["refusal"]
    check("refusals", [entry["reason"] for entry in refusals], ["tx-no-endpoint"])
    wg("set", "wg0", "peer", base64.b64encode(other).decode(), "remove")


def many_peers(client):
    """A dump of many messages has each peer once, and goes on where it was."""
    names = [os.urandom(32) for _ in range(500)]
    words = [word for name in names for word in ("peer", base64.b64encode(name).decode(), "allowed-ips", "")]
    wg("set", "wg0", *words)
    found = [entry["peer"]["public-key"] for entry in client.dump(ifname="wg0") if "peer" in entry]
    check("peers in order", found, [KEY, *names])
    words = [word for name in names for word in ("peer", base64.b64encode(name).decode(), "remove")]
    wg("set", "wg0", *words)


def permission(readable):
    """Without privilege only where the administrator allows it, and nothing but reading."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return status == 0
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    client = Spy()
    if readable:
        check("read by anybody", client.get(ifname="wg0")["interface"]["peers"], 1)
        check("dumped by anybody", len(client.dump(ifname="wg0")), 2)
    else:
        refused(client, "reading without privilege", errno.EPERM, "CAP_NET_ADMIN", "get", DEVICE)
        refused(client, "dumping without privilege", errno.EPERM, "", "get", DEVICE, netlink.DUMP)
    refused(client, "setting without privilege", errno.EPERM, "", "set", DEVICE + attr("unprivileged-read", b"\1"))
    for group in "peers", "config", "unknown":
        try:
            client.listen(group)
        except PermissionError:
            continue
        raise SystemExit(f"FAIL: anybody may listen to {group}")
    os._exit(0)


def received(client, count):
    """The next events, which come within seconds."""
    found = []
    events = client.events()
    while len(found) < count:
        if not select.select([client.socket], [], [], 20)[0]:
            raise SystemExit(f"FAIL: after {found} no more events come")
        found.append(next(events)[1])
    return found


def events(client):
    """Each change of the configuration makes an event, in order, with rising numbers."""
    listener = Spy()
    listener.listen("config")
    other = os.urandom(32)
    text = base64.b64encode(other).decode()
    wg("set", "wg0", "peer", text)
    client.set(ifname="wg0", peer={"public-key": other, "name": "zoë"})
    wg("set", "wg0", "peer", text, "remove")
    found = received(listener, 3)
    check("events", [entry["event"] for entry in found], ["peer-added", "peer-changed", "peer-removed"])
    check("whose", {entry["peer"]["public-key"] for entry in found}, {other})
    check("its name", [entry["peer"].get("name") for entry in found], [None, "zoë", "zoë"])
    first = found[0]["sequence"]
    check("numbers", [entry["sequence"] for entry in found], [first, first + 1, first + 2])
    # The kernel leaves out events beyond its rate, and says how many. The last event is for a peer
    # added afterwards.
    listener.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    names = [base64.b64encode(os.urandom(32)).decode() for _ in range(8000)]
    for start in range(0, len(names), 1000):
        wg("set", "wg0", *[word for name in names[start:start + 1000] for word in ("peer", name)])
    wg("setconf", "wg0", "/dev/stdin", stdin=b"[Peer]\nPublicKey = " + base64.b64encode(KEY)
       + b"\nAllowedIPs = 192.168.7.2/32\nEndpoint = 10.0.0.2:51822\n")
    left_out, number, limit = 0, first + 2, False
    while True:
        if not select.select([listener.socket], [], [], 0)[0]:
            wg("set", "wg0", "peer", text)
        (event,) = received(listener, 1)
        check("the number, with those left out", event["sequence"], number + 1 + event.get("left-out", 0))
        if event.get("left-out") and not limit:
            raise SystemExit("FAIL: events were left out without a word before")
        number, left_out, limit = event["sequence"], left_out + event.get("left-out", 0), "limit" in event
        if event["peer"]["public-key"] == other:
            break
    if left_out == 0 or number < first + 2 + 2 * len(names):
        raise SystemExit(f"FAIL: {left_out} events were left out of {number}")
    # A listener that never reads delays no sender, and its next read fails with ENOBUFS.
    deaf = netlink.Client()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    deaf.listen("config")
    for _ in range(50):
        wg("set", "wg0", "peer", text, "persistent-keepalive", "0")
    try:
        while True:
            deaf.socket.recv(1 << 16, socket.MSG_DONTWAIT)
    except BlockingIOError as error:
        raise SystemExit("FAIL: the deaf listener is not told that it missed events") from error
    except OSError as error:
        check("the deaf listener", errno.errorcode[error.errno], "ENOBUFS")
    wg("set", "wg0", "peer", text, "remove")


def main():
    client = Spy()
    filters(client)
    many_peers(client)
    bad_requests(client)
    check("anybody, allowed", permission(True), True)
    client.set(ifname="wg0", unprivileged_read=0)
    check("anybody, not allowed", permission(False), True)
    events(client)


main()
