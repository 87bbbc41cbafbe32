# SPDX-License-Identifier: GPL-2.0
"""What SET changes (mostly rows O and P of behaviour.tsv), seen by GET, by `ss` and by a socket at
the endpoint."""

import base64
import errno
import os
import socket
import struct
import subprocess
import time

from wgtest import check
from wgtest.check import equal, holds, run
from wgtest.genl import (SET, AllowedIp, Client, Device, Error, Peer, allowed_ip, attr, name, nest, parse, peer, peers, sockaddr,
                  u16, u32)

KEY1, KEY2 = (bytes([8 * n]) + bytes(30) + bytes([64 + n]) for n in (1, 2))
A, B, C, D = (bytes([9, n]) * 16 for n in range(1, 5))
PSK, PSK2 = b"p" * 32, b"q" * 32
WG0 = name("wg0")
REPLACE = u32(Device.FLAGS, Device.REPLACE_PEERS)

client = Client()


def public(key):
    done = subprocess.run(["wg", "pubkey"], input=base64.b64encode(key), capture_output=True, check=True)
    return base64.b64decode(done.stdout)


def fresh():
    """A new wg0, as no key at all is a state that cannot be set."""
    if os.path.exists("/sys/class/net/wg0"):
        run("ip link del wg0")
    run("ip link add wg0 type wireguard")


def state():
    return client.get("wg0")


def keys():
    return [entry["key"] for entry in state()["peers"]]


def ips(which=0):
    return state()["peers"][which]["ips"]


def key_and_peers():
    fresh()
    equal("a new interface", state(), {"name": "wg0", "port": 0, "fwmark": 0, "peers": []})
    client.set(WG0, attr(Device.PRIVATE_KEY, bytes(32)))
    holds("all zero on a device without key", "private" not in state())

    # Bits that Curve25519 wants otherwise are stored so.
    loose = bytes([0xff]) * 32
    clamped = bytes([0xf8]) + bytes([0xff]) * 30 + bytes([0x7f])
    client.set(WG0, attr(Device.PRIVATE_KEY, loose))
    # row G2
    equal("clamped key", state()["private"], clamped)
    equal("public key", state()["public"], public(clamped))
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1), attr(Device.PUBLIC_KEY, bytes(32)))
    equal("public key in a SET is ignored", state()["public"], public(KEY1))

    # Unset.
    client.set(WG0, peers(peer(A)), attr(Device.PRIVATE_KEY, bytes(32)))
    # row SK3
    holds("no key in a GET", "private" not in state() and "public" not in state())
    equal("peers stay", keys(), [A])
    # Clamping makes a key out of nothing but the lowest bits; it is no zero then.
    client.set(WG0, attr(Device.PRIVATE_KEY, bytes([7]) + bytes(31)))
    equal("key that is clamped to 2^254", state().get("private"), bytes(31) + bytes([0x40]))


def own_key():
    fresh()
    one, two = public(KEY1), public(KEY2)
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1), peers(peer(A), peer(one, ips=["10.1.0.0/16"]), peer(B)))
    # row SF1
    equal("a peer with our own key is passed over", keys(), [A, B])
    client.set(WG0, peers(peer(two, ips=["10.2.0.0/16"])))
    equal("a peer whose key becomes ours", keys(), [A, B, two])
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY2))
    # row SK2
    equal("is removed", keys(), [A, B])
    # The new key counts for the peers of the same message.
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1), peers(peer(one), peer(two)))
    # row O7
    equal("key before peers", keys(), [A, B, two])
    client.set(WG0, attr(Device.PRIVATE_KEY, bytes(32)), peers(peer(one)))
    equal("without a key there is no own one", keys(), [A, B, two, one])
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1))
    equal("until there is", keys(), [A, B, two])


def order():
    """All in one message: mark and port, then removal, then key, then peers; whatever the order of
    attributes."""
    fresh()
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1), peers(peer(A, ips=["10.0.0.0/8"]), peer(B)))
    client.set(peers(peer(public(KEY2)), peer(C, ips=["10.0.0.0/8"]), peer(A)), attr(Device.PRIVATE_KEY, KEY2),
               REPLACE, u16(Device.LISTEN_PORT, 1234), u32(Device.FWMARK, 0xdeadbeef), WG0)
    after = state()
    # rows O1 O6
    equal("peers", [(entry["key"], entry["ips"]) for entry in after["peers"]], [(C, ["10.0.0.0/8"]), (A, [])])
    equal("the rest", (after["port"], after["fwmark"], after["private"]), (1234, 0xdeadbeef, KEY2))
    index = int(open("/sys/class/net/wg0/ifindex", encoding="ascii").read())
    client.set(u32(Device.IFINDEX, index), u32(Device.FWMARK, 0), REPLACE)
    equal("by index, no mark and no peers", state(), {**after, "fwmark": 0, "peers": []})


def flags():
    fresh()
    client.set(WG0, peers(peer(A, ips=["10.1.0.0/16"]), peer(B, ips=["10.2.0.0/16"])))
    # UPDATE_ONLY and REMOVE_ME of a peer that is not there: success, nothing.
    client.set(WG0, peers(peer(C, flags=Peer.UPDATE_ONLY, ips=["10.1.0.0/16"]), peer(D, flags=Peer.REMOVE_ME),
                          peer(D, flags=Peer.REMOVE_ME | Peer.UPDATE_ONLY | Peer.REPLACE_ALLOWEDIPS)))
    # row P3
    equal("unknown peers", (keys(), ips()), ([A, B], ["10.1.0.0/16"]))
    client.set(WG0, peers(peer(A, flags=Peer.UPDATE_ONLY, keepalive=3)))
    equal("UPDATE_ONLY of a known one", state()["peers"][0]["keepalive"], 3)
    client.set(WG0, peers(peer(A, flags=Peer.REPLACE_ALLOWEDIPS)))
    # row P7
    equal("REPLACE_ALLOWEDIPS with none", (ips(), ips(1)), ([], ["10.2.0.0/16"]))
    client.set(WG0, peers(peer(C, flags=Peer.REPLACE_ALLOWEDIPS, ips=["10.3.0.0/16"])))
    equal("REPLACE_ALLOWEDIPS of a new peer", (keys(), ips(2)), ([A, B, C], ["10.3.0.0/16"]))
    # REMOVE_ME ignores all else.
    client.set(WG0, peers(peer(B, flags=Peer.REMOVE_ME, psk=PSK, ips=["10.3.0.0/16", nest(0)])))
    # row P4
    equal("REMOVE_ME", (keys(), ips(1)), ([A, C], ["10.3.0.0/16"]))
    # The same peer twice in a message: one after the other. The removed one comes back at the end,
    # as new.
    client.set(WG0, peers(peer(A, flags=Peer.REMOVE_ME), peer(D), peer(A, psk=PSK), peer(A, keepalive=9)))
    equal("removed and added again", keys(), [C, D, A])
    last = state()["peers"][-1]
    equal("its state", (last["psk"], last["keepalive"]), (PSK, 9))
    client.set(WG0, REPLACE, peers(peer(A, flags=Peer.UPDATE_ONLY), peer(B)))
    equal("REPLACE_PEERS comes before UPDATE_ONLY", keys(), [B])


def duplicates():
    """Of an attribute that comes twice the last one counts."""
    fresh()
    client.set(name("nothing"), WG0, u32(Device.FWMARK, 1), u32(Device.FWMARK, 2), REPLACE, u32(Device.FLAGS, 0),
               peers(peer(A)), peers(peer(B, psk=PSK, keepalive=4, extra=attr(Peer.PRESHARED_KEY, PSK2))))
    after = state()
    # row N13
    equal("mark, peers", (after["fwmark"], keys()), (2, [B]))
    equal("PSK", after["peers"][0]["psk"], PSK2)
    client.set(WG0, peers(peer(B, ips=["10.1.0.0/16"], extra=nest(Peer.ALLOWEDIPS, allowed_ip("10.2.0.0/16"))),
                          peer(A, extra=attr(Peer.PUBLIC_KEY, C))))
    equal("allowed IPs, key", (ips(), keys()), (["10.2.0.0/16"], [B, C]))


def peer_attributes():
    fresh()
    # Element types are ignored: networkd numbers them, wg has only zeros.
    client.set(WG0, peers(peer(A, kind=1, ips=[allowed_ip("10.1.0.0/16", kind=9), allowed_ip("::/0", kind=0x3fff)]),
                          peer(B, kind=2), peer(C, kind=0x3fff)))
    # row N10
    equal("types of elements", (keys(), ips()), ([A, B, C], ["10.1.0.0/16", "::/0"]))
    before = state()
    client.set(WG0, peers())
    client.set(WG0, peers(peer(A, ips=[])))
    client.set(WG0)
    equal("empty nests", state(), before)
    # What only the kernel knows is accepted and ignored.
    client.set(WG0, peers(peer(A, version=1, extra=attr(Peer.RX_BYTES, b"x" * 8) + attr(Peer.TX_BYTES, b"x" * 8)
                               + attr(Peer.LAST_HANDSHAKE, b"x" * 16))))
    # row N15
    equal("read-only attributes", state(), before)
    client.set(WG0, peers(peer(A, psk=PSK, keepalive=65535)))
    equal("PSK and interval", (state()["peers"][0]["psk"], state()["peers"][0]["keepalive"]), (PSK, 65535))
    client.set(WG0, peers(peer(A, psk=bytes(32), keepalive=0)))
    equal("neither", state(), before)


def raw_endpoint():
    """The bytes of the first peer's endpoint in a GET."""
    for message in client.get_messages(WG0):
        found = dict(message.attrs())
        return dict(parse(parse(found[Device.PEERS])[0][1])).get(Peer.ENDPOINT)


def endpoints():
    fresh()
    client.set(WG0, peers(peer(A)))
    equal("none", raw_endpoint(), None)
    four, six = sockaddr("192.0.2.1", 77), sockaddr("2001:db8::1", 78, flow=0x12345, scope=3)
    wrong = [four[:2] + bytes(15), four + bytes(1), four + bytes(12), six[:16], six[:24], six + bytes(1),
             bytes(16), bytes(28), struct.pack("=H", 1) + bytes(26), struct.pack("!H", 2) + bytes(14), four + bytes(112)]
    for data in wrong:
        client.set(WG0, peers(peer(A, endpoint=data)))
        # row P6
        equal(f"an endpoint {data.hex()} is ignored", raw_endpoint(), None)
    for data in (four, six):
        client.set(WG0, peers(peer(A, endpoint=data)))
        equal("endpoint", raw_endpoint(), data)
        for bad in wrong:
            client.set(WG0, peers(peer(A, endpoint=bad)))
        equal("the old one stays", raw_endpoint(), data)
    for data in (sockaddr("0.0.0.0", 0), sockaddr("::", 0), sockaddr("255.255.255.255", 1), sockaddr("ff02::1", 1)):
        client.set(WG0, peers(peer(A, endpoint=data)))
        equal("odd endpoint", raw_endpoint(), data)


def allowed_ips():
    fresh()
    client.set(WG0, peers(peer(A, ips=["10.1.2.3/16", "fd00::ffff/48", "0.0.0.0/0", "::/0", "1.2.3.4/32", "::1/128",
                                       "255.255.255.255/31", "::8/125"])))
    all_of_them = ["10.1.0.0/16", "fd00::/48", "0.0.0.0/0", "::/0", "1.2.3.4/32", "::1/128", "255.255.255.254/31",
                   "::8/125"]
    # rows G5 A2
    equal("host bits are masked", ips(), all_of_them)
    client.set(WG0, peers(peer(A, ips=["10.1.9.9/16", "::/0"])))
    moved = [ip for ip in all_of_them if ip not in ("10.1.0.0/16", "::/0")] + ["10.1.0.0/16", "::/0"]
    equal("one that is there moves to the end", ips(), moved)

    # Another peer takes it, and it is not given back.
    client.set(WG0, peers(peer(B, ips=["::/0", "10.1.0.0/17"])))
    moved.remove("::/0")
    # rows P8 A3
    equal("taken", (ips(), ips(1)), (moved, ["::/0", "10.1.0.0/17"]))
    client.set(WG0, peers(peer(B, flags=Peer.REMOVE_ME)))
    # row A8
    equal("not given back", (keys(), ips()), ([A], moved))

    # Removal: only the very prefix, only of this peer.
    client.set(WG0, peers(peer(B, ips=["10.2.0.0/16"])))
    for odd in ("10.1.0.0/15", "10.1.0.0/17", "10.2.0.0/16", "10.3.0.0/16", "fd00::/47", "2000::/3"):
        client.set(WG0, peers(peer(A, ips=[allowed_ip(odd, flags=AllowedIp.REMOVE_ME)])))
    # rows P9 A4
    equal("nothing to remove", (ips(), ips(1)), (moved, ["10.2.0.0/16"]))
    client.set(WG0, peers(peer(A, ips=[allowed_ip("10.1.77.77/16", flags=AllowedIp.REMOVE_ME),
                                       allowed_ip("::1/128", flags=AllowedIp.REMOVE_ME),
                                       allowed_ip("0.0.0.0/0", flags=AllowedIp.REMOVE_ME), allowed_ip("7.0.0.0/8"),
                                       allowed_ip("8.0.0.0/8", flags=0)])))
    gone = ("10.1.0.0/16", "::1/128", "0.0.0.0/0")
    equal("removed", ips(), [ip for ip in moved if ip not in gone] + ["7.0.0.0/8", "8.0.0.0/8"])
    # A new peer may begin with a removal.
    client.set(WG0, peers(peer(C, ips=[allowed_ip("7.0.0.0/8", flags=AllowedIp.REMOVE_ME)])))
    equal("by a new peer", (keys(), ips(2)), ([A, B, C], []))
    holds("the prefix of another stays", "7.0.0.0/8" in ips())
    client.set(WG0, peers(peer(A, flags=Peer.REPLACE_ALLOWEDIPS, ips=["9.0.0.0/8", "10.2.0.0/16"])))
    equal("replaced", (ips(), ips(1)), (["9.0.0.0/8", "10.2.0.0/16"], []))


def bound():
    """Local ports of the UDP sockets that no process in user space holds."""
    lines = run("ss -HlunO").splitlines()
    return sorted(line.split()[3] for line in lines)


def both(port):
    return sorted([f"0.0.0.0:{port}", f"[::]:{port}"])


def ports():
    fresh()
    client.set(WG0, u16(Device.LISTEN_PORT, 4000))
    equal("down: no sockets", (bound(), state()["port"]), ([], 4000))
    run("ip link set wg0 up")
    equal("up", bound(), both(4000))
    client.set(WG0, u16(Device.LISTEN_PORT, 4001))
    # row SP1
    equal("changed while up", (bound(), state()["port"]), (both(4001), 4001))
    client.set(WG0, u16(Device.LISTEN_PORT, 4001))
    equal("the same again", bound(), both(4001))
    client.set(WG0, u16(Device.LISTEN_PORT, 0))
    port = state()["port"]
    holds("0 is a random port", port not in (0, 4001))
    equal("and its sockets", bound(), both(port))
    run("ip link set wg0 down")
    equal("down again", (bound(), state()["port"]), ([], port))
    run("ip link set wg0 up")
    equal("and up", bound(), both(port))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", 4002))
        try:
            client.set(WG0, u16(Device.LISTEN_PORT, 4002))
            check.problem("a port in use was taken")
        except Error as error:
            equal("port in use", error.name, "EADDRINUSE")
        equal("the old port stays", state()["port"], port)
        other.close()
        equal("and its sockets", bound(), both(port))
    run("ip link del wg0")
    equal("deleted", bound(), [])


def listener():
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind(("127.0.0.1", 0))
    return far, far.getsockname()[1]


def arrived(far, seconds):
    """Lengths of the datagrams within that time, or until the first one when it is expected."""
    far.settimeout(seconds)
    lengths = []
    try:
        while True:
            lengths.append(len(far.recv(2000)))
            far.settimeout(0.3)
    except TimeoutError:
        return lengths


def keepalive():
    """Only the change from 0 while up sends at once, and that begins a handshake."""
    far, port = listener()
    other = public(KEY2)
    for old, new, expected in ((0, 100, [148]), (100, 200, []), (100, 0, []), (0, 0, [])):
        title = f"{old} to {new} while up"
        fresh()
        client.set(WG0, attr(Device.PRIVATE_KEY, KEY1), peers(peer(other, keepalive=old)))
        run("ip link set wg0 up")
        # A handshake that this began without an endpoint is over when the endpoint comes, or it
        # would go there.
        time.sleep(0.5 if old else 0)
        # An endpoint does not begin a handshake.
        client.set(WG0, peers(peer(other, endpoint=sockaddr("127.0.0.1", port))))
        # row P6
        equal(f"{title}: before", arrived(far, 0.2), [])
        client.set(WG0, peers(peer(other, keepalive=new)))
        # row P10
        equal(title, arrived(far, 3 if expected else 0.4), expected)
    # Set while down: it goes out when the interface comes up.
    fresh()
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1),
               peers(peer(other, keepalive=10, endpoint=sockaddr("127.0.0.1", port))))
    equal("down", arrived(far, 0.3), [])
    run("ip link set wg0 up")
    # row U7
    equal("comes up", arrived(far, 3), [148])
    far.close()


def key_arrives_late():
    """Packets wait for a key, and go when there is one."""
    far, port = listener()
    fresh()
    client.set(WG0, peers(peer(public(KEY2), ips=["10.0.0.0/8"], endpoint=sockaddr("127.0.0.1", port))))
    run("ip addr add 10.0.0.1/8 dev wg0")
    run("ip link set wg0 up")
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.sendto(b"x", ("10.0.0.2", 9))
    equal("no key, no handshake", arrived(far, 0.3), [])
    client.set(WG0, attr(Device.PRIVATE_KEY, KEY1))
    # row U8
    equal("the key begins it", arrived(far, 3), [148])
    # Another key lets the next packet begin anew without the wait of five seconds.
    client.set(WG0, attr(Device.PRIVATE_KEY, public(KEY2)[:31] + b"\x55"))
    begin = time.monotonic()
    out.sendto(b"x", ("10.0.0.2", 9))
    equal("a new key begins again", arrived(far, 3), [148])
    holds("at once", time.monotonic() - begin < 3)
    client.set(WG0, attr(Device.PRIVATE_KEY, bytes(32)))
    out.sendto(b"x", ("10.0.0.2", 9))
    equal("no key any more", arrived(far, 0.5), [])
    out.close()
    far.close()


def wiped():
    """row O9: a refused request comes back with its answer, but the keys in it are gone by then."""
    fresh()
    plain = Client()
    plain.socket.setsockopt(270, 10, 0)  # NETLINK_CAP_ACK
    body = WG0 + attr(Device.PRIVATE_KEY, KEY1) + peers(peer(A, psk=PSK, keepalive=7), peer(psk=PSK2, keepalive=8))
    plain.send(SET, body)
    payload = b"".join(message.payload for message in plain.receive() if message.kind == 2)
    number, = struct.unpack_from("=i", payload)
    equal("refused", -number, errno.EINVAL)
    # Behind the error: the netlink header of 16 bytes, that of the family of 4, and our attributes.
    returned = payload[4 + 16 + 4:][:len(body)]
    equal("the request comes back without its keys", returned,
          body.replace(KEY1, bytes(32)).replace(PSK, bytes(32)).replace(PSK2, bytes(32)))
    equal("and was carried out as far as it was right", (state()["private"], state()["peers"][0]["psk"]), (KEY1, PSK))
    plain.close()


def elsewhere():
    """The namespace of the interface configures it, the one of its sockets does not."""
    run("ip netns add other")
    fresh()
    run("ip link set wg0 netns other")
    try:
        client.get("wg0")
        check.problem("GET from where the sockets are")
    except Error as error:
        # row NS2
        equal("GET from where the sockets are", error.name, "ENODEV")
    there = Client("other")
    there.set(WG0, u16(Device.LISTEN_PORT, 4003), attr(Device.PRIVATE_KEY, KEY1))
    run("ip -n other link set wg0 up")
    equal("sockets stay here", bound(), both(4003))
    there.set(WG0, u16(Device.LISTEN_PORT, 4004))
    equal("their port changes from there", bound(), both(4004))
    there.close()
    run("ip netns del other")
    holds("interface and sockets go with the namespace", check.eventually(10, lambda: not bound()))


check.main(key_and_peers, own_key, order, flags, duplicates, peer_attributes, endpoints, allowed_ips, ports, keepalive,
           key_arrives_late, wiped, elsewhere)
