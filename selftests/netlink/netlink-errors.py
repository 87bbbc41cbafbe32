# SPDX-License-Identifier: GPL-2.0
"""Table of netlink requests and of the errors they get (mostly rows N of behaviour.tsv).

Each row starts from the same state of wg0. After it a GET is compared with that state, changed as
the row says, so that both are proven: what a failing request applied and what not. WG_MODULE=c runs
the table with the C module.
"""

import base64
import copy
import ctypes
import os
import socket
import struct
import subprocess

from wgtest import check
from wgtest.check import run
from wgtest.genl import GET, SET, Client, Device, Error, attr, name, parse, peers, u16, u32

from netlink_errors.rows import (A, B, GOOD, HEADER, LOOKUP, PEERS, POLICY, PRIVATE, PSK, UNPRIVILEGED, WG0, base, device, new_peer,
                  row)

PUBLIC = None  # of PRIVATE; the kernel tells


def judge(client, watcher, entry, before):
    """Sends the request of a row and compares answer and state."""
    title, expected, body, changes, more = entry
    more = dict(more)
    cmd = more.pop("cmd")
    seen, error = "ok", None
    try:
        client.ask(cmd, body, **more)
    except Error as caught:
        error = caught
        seen = error.name + (f": {error.text}" if error.text else "")
    check.equal(title, seen, expected)
    if error:
        check.equal(f"{title}: the error comes as NLMSG_ERROR", error.kind, 2)
    after = copy.deepcopy(before)
    for change in changes:
        change(after)
    state = watcher.get("wg0")
    check.equal(f"{title}: state afterwards", state, after)
    if state != before:
        base(watcher)


def table(rows, client, watcher=None):
    watcher = watcher or client
    base(watcher)
    before = watcher.get("wg0")
    for entry in rows:
        judge(client, watcher, entry, before)
    check.equal("base state", watcher.get("wg0"), before)


def fixture():
    client = Client()
    base(client)
    check.equal("state of the fixture", client.get("wg0"), {
        "name": "wg0", "port": 1000, "fwmark": 7, "private": PRIVATE, "public": PUBLIC,
        "peers": [new_peer(A, ["10.0.0.0/8", "fd00::/8"], psk=PSK, endpoint="192.0.2.1:5", keepalive=11),
                  new_peer(B, ["10.1.0.0/16"])]})


def family():
    """row N16: what the controller tells of the family."""
    client = Client()
    # CTRL_CMD_GETFAMILY by CTRL_ATTR_FAMILY_NAME
    reply, = client.ask(3, attr(2, b"wireguard\0"), kind=0x10)
    told = dict(reply.attrs())
    # Id, name, version, header size, and operations, of which each has an id and flags; there are
    # no groups.
    equal_told = [(kind, struct.unpack("=I", told[kind])[0]) for kind in (3, 4)]
    check.equal("version and header size", equal_told, [(3, 1), (4, 0)])
    check.equal("multicast groups", 7 in told, False)
    operations = [dict(parse(operation)) for _, operation in parse(told[6])]
    # GENL_UNS_ADMIN_PERM, GENL_CMD_CAP_HASPOL, and one of GENL_CMD_CAP_DUMP and GENL_CMD_CAP_DO
    check.equal("operations", [[struct.unpack("=I", operation[kind])[0] for kind in (1, 2)] for operation in operations],
                [[GET, 0x10 | 0x8 | 0x4], [SET, 0x10 | 0x8 | 0x2]])
    client.close()


def header():
    table(HEADER, Client())


def unprivileged():
    watcher = Client()
    os.seteuid(65534)
    try:
        client = Client()
        os.seteuid(0)
        # The socket was opened by a user without the capability, and that decides.
        table(UNPRIVILEGED, client, watcher)
    finally:
        os.seteuid(0)


def policy():
    table(POLICY, Client())


def lookup():
    table(LOOKUP, Client())


def peer_errors():
    table(PEERS, Client())


def port_in_use():
    """2.3: an error of LISTEN_PORT ends the request there: the mark is set, the rest is not."""
    client = Client()
    base(client)
    run("ip link set wg0 up")
    before = client.get("wg0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        four.bind(("0.0.0.0", 2000))
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.bind(("::", 2001))
        for port in (2000, 2001):
            # rows O4 O5 SP1
            entry = row(f"port {port} in use", "EADDRINUSE", WG0, u32(Device.FWMARK, 99),
                        u16(Device.LISTEN_PORT, port), u32(Device.FLAGS, Device.REPLACE_PEERS),
                        attr(Device.PRIVATE_KEY, bytes(32)), peers(GOOD), after=device(fwmark=99))
            judge(client, client, entry, before)
    # Both sockets are still on the old port.
    check.equal("sockets", run("ss -Hlun sport = :1000").count("1000"), 2)
    run("ip link set wg0 down")


def sockets_elsewhere():
    """2.3: LISTEN_PORT and FWMARK need the namespace of the sockets, alive and ours to
    administer."""
    run("ip netns add birth")
    run("ip -n birth link add wg1 type wireguard")
    run("ip -n birth link set wg1 netns 1")
    wg1 = name("wg1")
    client = Client()
    client.set(wg1, u16(Device.LISTEN_PORT, 1000), u32(Device.FWMARK, 7))
    check.equal("allowed while the namespace lives", client.get("wg1")["fwmark"], 7)
    run("ip netns del birth")
    # Its end comes later than the command's.
    check.eventually(10, lambda: "NO-CARRIER" in run("ip link show wg1") or "state DOWN" in run("ip link show wg1"))
    for title, part in (("port", u16(Device.LISTEN_PORT, 1000)), ("mark", u32(Device.FWMARK, 7))):
        refused = None

        def ask():
            nonlocal refused
            try:
                client.set(wg1, part, u32(Device.FLAGS, 1), attr(Device.PRIVATE_KEY, PRIVATE), peers(GOOD))
            except Error as error:
                refused = error.name
            return refused
        check.eventually(5, ask)  # pylint: disable=cell-var-from-loop
        # row O2
        check.equal(f"{title} of a dead namespace", refused, "EPERM")
    client.set(wg1, u32(Device.FLAGS, 1), peers())
    check.equal("nothing was applied", client.get("wg1").get("peers"), [])
    client.set(wg1, peers(GOOD))
    check.equal("but peers can be set", len(client.get("wg1")["peers"]), 1)
    run("ip link del wg1")


def sockets_of_somebody_else():
    """2.3: a namespace of a user namespace holds the interface; its root may change all but port
    and mark."""
    run("ip link add wg2 type wireguard")
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
            there.send(b"1")
            there.recv(1)
            check.failures = 0
            status = inside()
            check.flush()
        finally:
            os._exit(status)
    here.recv(1)
    with open(f"/proc/{child}/uid_map", "w", encoding="ascii") as file:
        file.write("0 0 1")
    run(f"ip link set wg2 netns {child}")
    here.send(b"1")
    _, status = os.waitpid(child, 0)
    check.equal("status inside of the user namespace", status, 0)


def inside():
    """In the user namespace; returns how many checks failed."""
    wg2 = name("wg2")
    client = Client()
    client.set(wg2, attr(Device.PRIVATE_KEY, PRIVATE), peers(GOOD))
    before = client.get("wg2")
    check.equal("peers", len(before["peers"]), 1)
    for title, part in (("port", u16(Device.LISTEN_PORT, 1000)), ("mark", u32(Device.FWMARK, 0))):
        try:
            client.set(wg2, part, u32(Device.FLAGS, Device.REPLACE_PEERS), attr(Device.PRIVATE_KEY, bytes(32)))
            check.problem(f"{title} of sockets outside")
        except Error as error:
            check.equal(f"{title} of sockets outside", error.name, "EPERM")
        check.equal(f"{title}: state", client.get("wg2"), before)
    # Without the capability in the user namespace nothing goes.
    drop_capabilities()
    client = Client()
    for ask in (lambda: client.get("wg2"), lambda: client.set(wg2, peers())):
        try:
            ask()
            check.problem("a request without the capability in the user namespace")
        except Error as error:
            check.equal("without the capability", error.name, "EPERM")
    return min(check.failures, 255)


def drop_capabilities():
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    if libc.capset(head, data):
        raise OSError(ctypes.get_errno(), "capset")


subprocess.run(["ip", "link", "add", "wg0", "type", "wireguard"], check=True)
PUBLIC = base64.b64decode(subprocess.run(
    ["wg", "pubkey"], input=base64.b64encode(PRIVATE), capture_output=True, check=True).stdout)
check.main(fixture, family, header, unprivileged, policy, lookup, peer_errors, port_in_use, sockets_elsewhere,
           sockets_of_somebody_else)
