# SPDX-License-Identifier: GPL-2.0
"""One allocation after the other fails (/proc/*/fail-nth), until a request needs no more of
them."""

import ctypes
import errno
import os
import socket

from wgtest import check
from wgtest.check import note, problem
from wgtest.genl import GET, REQUEST, ACK, Client, Device, Error, Peer, attr, merge, name, peer, peers, sockaddr, u16
from wgtest.links import UP, Links

WG0 = name("wg0")
KEY, OTHER, REMOTE, STEADY = (bytes([n]) * 31 + b"\x40" for n in (8, 16, 24, 32))
IPS = [f"10.{n}.0.0/{16 + n % 8}" for n in range(32)] + [f"fd00:{n:x}::/{32 + n}" for n in range(32)]
PSK = bytes(range(32))

libc = ctypes.CDLL(None, use_errno=True)
# The C library has no functions for these system calls of x86-64.
DELETE_MODULE, FINIT_MODULE = 176, 313


def system_call(number, *arguments):
    """Its error number, or 0."""
    return ctypes.get_errno() if libc.syscall(number, *arguments) else 0


class Fault:
    """Lets the nth allocation from now on fail, as far as this thread makes it."""

    def __init__(self):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

    def during(self, nth, call, *arguments):
        """What the call returns, and whether it came to the nth allocation."""
        text = str(nth).encode()
        os.pwrite(self.file, text, 0)
        try:
            result = call(*arguments)
        finally:
            left = os.pread(self.file, 16, 0)
            os.pwrite(self.file, b"0", 0)
        return result, int(left) == 0


def outcome(sock, receive):
    """The error number that came as an answer, 0, or ENOBUFS where the answer itself could not be
    made."""
    try:
        error = receive()
    except OSError as lost:
        if lost.errno != errno.ENOBUFS:
            raise
        # Whatever else was on its way.
        sock.setblocking(False)
        try:
            while True:
                sock.recv(1 << 16)
        except BlockingIOError:
            pass
        sock.settimeout(20)
        return errno.ENOBUFS
    return error.errno if error else 0


def sent(fault, nth, sock, message, receive):
    """Sends a request while the nth allocation fails: the error number, and whether it came to
    that."""
    def send():
        try:
            sock.send(message)
            return 0
        except OSError as error:
            return error.errno
    number, is_reached = fault.during(nth, send)
    if number:
        return number, is_reached
    return outcome(sock, receive), is_reached


def series(what, attempt, others=()):
    """Attempts with N = 1.. until one needs fewer allocations; each returns its error number and
    whether it came to N.

    `others` are error numbers that the kernel's own functions make of a failed allocation.
    """
    fault, nth, failed, fine = Fault(), 1, 0, 0
    while True:
        number, is_reached = attempt(fault, nth)
        if number not in (0, errno.ENOMEM, errno.ENOBUFS, *others):
            problem(f"{what}, allocation {nth} fails: {errno.errorcode.get(number, number)}")
        if not is_reached:
            break
        failed, fine = failed + (number != 0), fine + (number == 0)
        nth += 1
    if number:
        problem(f"{what} fails without a reason: {errno.errorcode.get(number, number)}")
    note(f"{what}: {nth - 1} allocations; {failed} failures were fatal, {fine} were not")
    if not failed:
        problem(f"{what}: no allocation ever failed")


def ends(client):
    """Reads the acknowledgement of a generic request; the error in it."""
    try:
        client.answers()
    except Error as error:
        return error
    return None


def request(client, *parts):
    client.seq += 1
    body = (1).to_bytes(1, "little") + b"\1\0\0" + b"".join(parts)
    return ((16 + len(body)).to_bytes(4, "little") + client.family.to_bytes(2, "little")
            + (REQUEST | ACK).to_bytes(2, "little") + client.seq.to_bytes(4, "little") + bytes(4) + body)


def is_loaded():
    with open("/proc/modules", encoding="ascii") as file:
        return any(line.startswith("wireguard ") for line in file)


def finit(file):
    return system_call(FINIT_MODULE, file, b"dyndbg=+p", 0)


def delete():
    number = system_call(DELETE_MODULE, b"wireguard", os.O_NONBLOCK)
    if number:
        problem(f"the module cannot be removed: {os.strerror(number)}")


def loading_the_module():
    file = os.open(os.environ["WG_KO"], os.O_RDONLY | os.O_CLOEXEC)
    links = Links()

    def attempt(fault, nth):
        number, is_reached = fault.during(nth, finit, file)
        if number == 0:
            delete()
        if is_loaded():
            problem(f"loading with allocation {nth} failing: {number}, but the module is there")
            delete()
        return number, is_reached

    if finit(file):
        problem("the module does not load")
    delete()
    series("loading", attempt)
    try:
        links.add("wg9")
        problem("a link without the module")
    except Error as error:
        check.equal("a link without the module", error.name, "EOPNOTSUPP")
    number = finit(file)
    check.equal("loading at the end", number, 0)


# rows L5 L21
def adding_a_link():
    links = Links()

    def attempt(fault, nth):
        number, is_reached = sent(fault, nth, links.socket, links.added("wg0"), links.answer)
        flags = links.flags("wg0")
        if number == 0 and flags is None:
            problem(f"added with allocation {nth} failing, but it is not there")
        if number not in (0, errno.ENOBUFS) and flags is not None:
            problem(f"not added without allocation {nth}, but it is there")
        if flags is not None:
            links.up("wg0")
            links.delete("wg0")
        return number, is_reached

    # A device without a name (device_add), as the core does not check whether dev_set_name had
    # memory for one.
    series("adding a link", attempt, others=[errno.EINVAL])
    links.add("wg0")


# What sock_create says.
NO_SOCKET = [errno.ENFILE]


def is_bound(port):
    probe = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        probe.bind(("::", port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    finally:
        probe.close()
    return False


def bringing_it_up():
    links, client = Links(), Client()
    client.set(WG0, u16(Device.LISTEN_PORT, 5100), attr(Device.PRIVATE_KEY, KEY),
               peers(peer(STEADY, endpoint=sockaddr("127.0.0.1", 5999), keepalive=1, ips=["192.168.9.0/24"])))

    def attempt(fault, nth):
        if nth % 8 == 1:
            # Some of it is only made when a link goes up for the first time.
            links.delete("wg0")
            links.add("wg0")
            client.set(WG0, u16(Device.LISTEN_PORT, 5100), attr(Device.PRIVATE_KEY, KEY),
                       peers(peer(STEADY, endpoint=sockaddr("127.0.0.1", 5999), keepalive=1, ips=["192.168.9.0/24"])))
        number, is_reached = sent(fault, nth, links.socket, links.switched("wg0", True), links.answer)
        is_up = bool(links.flags("wg0") & UP)
        if number != errno.ENOBUFS and is_up != (number == 0):
            problem(f"going up with allocation {nth} failing: {number}, but up is {is_up}")
        if is_bound(5100) != is_up:
            problem(f"going up with allocation {nth} failing: up is {is_up}, but the port is bound or not")
        links.down("wg0")
        return number, is_reached

    series("going up", attempt, others=NO_SOCKET)
    links.up("wg0")


def another_port():
    client = Client()
    ports = [5100, 5200]

    def attempt(fault, nth):
        old, new = ports
        message = request(client, WG0, u16(Device.LISTEN_PORT, new))
        number, is_reached = sent(fault, nth, client.socket, message, lambda: ends(client))
        shown = client.get("wg0")["port"]
        if number == 0:
            check.equal("the port", shown, new)
        elif number != errno.ENOBUFS:
            holds = [port for port in ports if is_bound(port)]
            if holds != [shown]:
                note(f"allocation {nth} fails: port {shown} is shown, bound: {holds}")
        if number == 0:
            ports.reverse()
        else:
            client.set(WG0, u16(Device.LISTEN_PORT, old))
            client.set(WG0, u16(Device.LISTEN_PORT, new))
            client.set(WG0, u16(Device.LISTEN_PORT, old))
            check.equal("bound", [port for port in sorted(ports) if is_bound(port)], [old])
        return number, is_reached

    series("another port", attempt, others=NO_SOCKET)


def adding_a_peer():
    client = Client()
    full = peer(REMOTE, psk=PSK, endpoint=sockaddr("127.0.0.1", 5998), keepalive=7, ips=IPS)

    def remote():
        found = [p for p in client.get("wg0")["peers"] if p["key"] == REMOTE]
        return found[0] if found else None

    def attempt(fault, nth):
        message = request(client, WG0, peers(full))
        number, is_reached = sent(fault, nth, client.socket, message, lambda: ends(client))
        seen = remote()
        if number == 0:
            check.equal(f"allocation {nth} fails: allowed IPs", seen and [ip.replace("::", "::", 1) for ip in seen["ips"]], IPS_SHOWN)
        elif seen:
            # As in C: what was done before the error stays done.
            count = len(seen["ips"])
            check.equal(f"allocation {nth} fails: allowed IPs", seen["ips"], IPS_SHOWN[:count])
            check.equal(f"allocation {nth} fails: preshared key", seen["psk"], PSK)
            check.equal(f"allocation {nth} fails: endpoint", seen["endpoint"], "127.0.0.1:5998")
        client.set(WG0, peers(full))
        seen = remote()
        check.equal("the same once more", (seen["ips"], seen["psk"], seen["keepalive"]), (IPS_SHOWN, PSK, 7))
        client.set(WG0, peers(peer(REMOTE, flags=Peer.REMOVE_ME)))
        check.equal("peers", [p["key"] for p in client.get("wg0")["peers"]], [STEADY])
        return number, is_reached

    # As the kernel masks and writes them.
    client.set(WG0, peers(full))
    IPS_SHOWN[:] = remote()["ips"]
    check.equal("allowed IPs", len(IPS_SHOWN), 64)
    client.set(WG0, peers(peer(REMOTE, flags=Peer.REMOVE_ME)))
    series("adding a peer", attempt)


IPS_SHOWN = []


def setting_a_key():
    client = Client()

    def shown():
        device = client.get("wg0")
        return device["private"], device["public"]

    keys = []
    for key in (OTHER, KEY):
        client.set(WG0, attr(Device.PRIVATE_KEY, key))
        keys.append((key, shown()))

    def attempt(fault, nth):
        key, expected = keys[0]
        message = request(client, WG0, attr(Device.PRIVATE_KEY, key))
        number, is_reached = sent(fault, nth, client.socket, message, lambda: ends(client))
        seen = shown()
        if number == 0:
            check.equal("the keys", seen, expected)
        elif seen not in (keys[0][1], keys[1][1]):
            problem(f"allocation {nth} fails: keys {seen}")
        client.set(WG0, attr(Device.PRIVATE_KEY, keys[1][0]))
        return number, is_reached

    series("setting a key", attempt)


def dumping():
    client = Client()
    before = client.get("wg0")

    def attempt(fault, nth):
        client.seq += 1
        body = GET.to_bytes(1, "little") + b"\1\0\0" + WG0
        message = ((16 + len(body)).to_bytes(4, "little") + client.family.to_bytes(2, "little") + b"\5\3"
                   + client.seq.to_bytes(4, "little") + bytes(4) + body)
        number, is_reached = sent(fault, nth, client.socket, message, lambda: ends(client))
        check.equal("a dump afterwards", client.get("wg0"), before)
        return number, is_reached

    series("dumping", attempt)
    check.equal("a dump", merge(client.get_messages(WG0)), before)


def leaving():
    Links().delete("wg0")


check.main(loading_the_module, adding_a_link, bringing_it_up, another_port, adding_a_peer, setting_a_key, dumping, leaving)
