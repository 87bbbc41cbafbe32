# SPDX-License-Identifier: GPL-2.0
"""Netlink requests, the errors that they get, and what they change all the same."""

import socket
import struct

from wgtest.genl import (ACK, DUMP, GET, MATCH, MULTI, REQUEST, ROOT, SET, AllowedIp, Device, Peer, allowed_ip, attr, name, nest,
                  peer, peers, sockaddr, u8, u16, u32)

PRIVATE = bytes([8]) + bytes(range(1, 31)) + bytes([64])
A, B, C, D = (bytes([9, n]) * 16 for n in range(1, 5))
PSK, PSK2 = b"p" * 32, b"q" * 32

WG0 = name("wg0")
# What a row that must not change anything tries to change before its fault.
BAIT = u32(Device.FWMARK, 99) + u16(Device.LISTEN_PORT, 2000) + u32(Device.FLAGS, Device.REPLACE_PEERS)
GOOD = peer(C, ips=["10.9.0.0/16"])


def base(client):
    """Brings wg0 to the state that all rows begin with."""
    client.set(WG0, u32(Device.FLAGS, Device.REPLACE_PEERS), u16(Device.LISTEN_PORT, 1000), u32(Device.FWMARK, 7),
               attr(Device.PRIVATE_KEY, PRIVATE), peers(
                   peer(A, psk=PSK, endpoint=sockaddr("192.0.2.1", 5), keepalive=11, ips=["10.0.0.0/8", "fd00::/8"]),
                   peer(B, ips=["10.1.0.0/16"])))


def new_peer(key, ips=(), **more):
    """How GET shows a peer that was just made."""
    fresh = {"key": key, "psk": bytes(32), "keepalive": 0, "endpoint": None, "handshake": (0, 0), "tx": 0, "rx": 0,
             "ips": list(ips)}
    fresh.update(more)
    return fresh


# --- what rows change (on the dictionary of a GET)

def device(**values):
    return lambda state: state.update(values)


def add(*args, **more):
    return lambda state: state["peers"].append(new_peer(*args, **more))


def baited(state):
    """BAIT was applied in full."""
    state.update(fwmark=99, port=2000, peers=[])


def first(**values):
    """Peer A was changed so."""
    return lambda state: state["peers"][0].update(values)


def row(title, expected, *body, after=(), **more):
    """`expected`: "ERRNO" or "ERRNO: words of the kernel"; `after`: the changes, in order."""
    more.setdefault("cmd", SET)
    return title, expected, b"".join(body), after if isinstance(after, (tuple, list)) else (after,), more


DUMPING = {"cmd": GET, "flags": REQUEST | ACK | DUMP}


def bad_policy(title, expected, *fault):
    """A fault that is found before anything is applied, in the device's attributes."""
    return row(title, expected, WG0, BAIT, peers(GOOD), *fault)


def bad_peer(title, expected, *fault, key=C):
    """The same inside the last of three peers."""
    return row(title, expected, WG0, BAIT, peers(peer(A), GOOD, peer(key, extra=b"".join(fault))))


def bad_ip(title, expected, *parts, after=None):
    """The second allowed IP of peer A is wrong; PSK and endpoint come before it, the interval after
    it.

    Without `after` the fault is the policy's, and nothing changes.
    """
    done = first(psk=PSK2, endpoint="192.0.2.9:9", ips=["10.7.0.0/16"]) if after is None else after
    return row(title, expected, WG0, peers(
        peer(A, flags=Peer.REPLACE_ALLOWEDIPS, psk=PSK2, endpoint=sockaddr("192.0.2.9", 9), keepalive=22,
             ips=["10.7.0.0/16", nest(0, *parts), "10.8.0.0/16"]), GOOD), after=done)


FAMILY4, FAMILY6 = u16(AllowedIp.FAMILY, socket.AF_INET), u16(AllowedIp.FAMILY, socket.AF_INET6)
ADDRESS4, ADDRESS6 = attr(AllowedIp.IPADDR, bytes(4)), attr(AllowedIp.IPADDR, bytes(16))
MASK8 = u8(AllowedIp.CIDR_MASK, 8)

# The words of the kernel
FLAGS = "EINVAL: ambiguous or reserved bits set in nlmsg_flags"
RESERVED = "EINVAL: genlmsghdr.reserved field is not 0"
UNKNOWN = "EINVAL: Unknown attribute type"
LEFTOVER = "EINVAL: bytes leftover after parsing attributes"
LENGTH = "EINVAL: invalid attribute length"
NO_NEST = "EINVAL: NLA_F_NESTED not expected"
RESERVED_BIT = "EINVAL: reserved bit set"
RANGE = "ERANGE: binary attribute size out of range"

# --- 2.1, 1 and 2: the header

HEADER = [
    # row N1
    row("no genl header", "EINVAL", raw=b""),
    row("half a genl header", "EINVAL", raw=b"\1\1\0"),
    row("reserved field", RESERVED, WG0, BAIT, reserved=1),
    row("flag ROOT in a SET", FLAGS, WG0, BAIT, flags=REQUEST | ACK | ROOT),
    row("flag MATCH in a SET", FLAGS, WG0, BAIT, flags=REQUEST | ACK | MATCH),
    row("flag CREATE in a SET", FLAGS, WG0, BAIT, flags=REQUEST | ACK | 0x400),
    row("flag APPEND in a SET", FLAGS, WG0, BAIT, flags=REQUEST | ACK | 0x800),
    row("flag MULTI in a SET", FLAGS, WG0, BAIT, flags=REQUEST | ACK | MULTI),
    row("flag ECHO in a SET", "ok", WG0, u32(Device.FWMARK, 8), flags=REQUEST | ACK | 0x8, after=device(fwmark=8)),
    row("flag ROOT alone in a GET", FLAGS, WG0, cmd=GET, flags=REQUEST | ACK | ROOT),
    row("flag MATCH alone in a GET", FLAGS, WG0, cmd=GET, flags=REQUEST | ACK | MATCH),
    row("flag APPEND in a GET", FLAGS, WG0, cmd=GET, flags=REQUEST | ACK | DUMP | 0x800),
    row("reserved field in a GET", RESERVED, WG0, cmd=GET, flags=REQUEST | ACK | DUMP, reserved=0x100),
    # row N2
    row("GET without DUMP", "EOPNOTSUPP", WG0, cmd=GET),
    row("SET with DUMP", "EOPNOTSUPP", WG0, BAIT, flags=REQUEST | ACK | DUMP),
    row("command 2", "EOPNOTSUPP", WG0, BAIT, cmd=2),
    row("command 255", "EOPNOTSUPP", WG0, BAIT, cmd=255),
    row("command 2, dump", "EOPNOTSUPP", WG0, cmd=2, flags=REQUEST | ACK | DUMP),
    row("reserved field before command", RESERVED, WG0, BAIT, cmd=2, reserved=1),
    row("another version", "ok", WG0, u32(Device.FWMARK, 8), version=77, after=device(fwmark=8)),
]

# --- 2.1, 3: who asks (as a user without capabilities)

UNPRIVILEGED = [
    # row N3
    row("SET by anybody", "EPERM", WG0, BAIT),
    row("GET by anybody", "EPERM", WG0, **DUMPING),
    row("capability before policy", "EPERM", WG0, u32(77, 0)),
    row("capability before device", "EPERM", name("none"), **DUMPING),
    row("command before capability", "EOPNOTSUPP", WG0, cmd=2),
    row("header before capability", RESERVED, WG0, reserved=1),
]

# --- 2.1, 4: the policies

POLICY = [
    # rows N4 N12
    bad_policy("unknown attribute", UNKNOWN, u32(9, 0)),
    bad_policy("attribute of type 0", UNKNOWN, u32(0, 0)),
    bad_policy("trailing byte", LEFTOVER, b"\0"),
    bad_policy("trailing bytes", LEFTOVER, b"\0\0\0"),
    bad_policy("attribute longer than the message", LEFTOVER,
               struct.pack("=HHI", 12, Device.FWMARK, 0)),
    bad_policy("attribute shorter than its header", LEFTOVER,
               struct.pack("=HHI", 3, Device.FWMARK, 0)),
    bad_policy("short FWMARK", LENGTH, u16(Device.FWMARK, 0)),
    bad_policy("long FWMARK", LENGTH, attr(Device.FWMARK, bytes(8))),
    bad_policy("empty FWMARK", LENGTH, attr(Device.FWMARK)),
    bad_policy("long LISTEN_PORT", LENGTH, u32(Device.LISTEN_PORT, 0)),
    bad_policy("short LISTEN_PORT", LENGTH, u8(Device.LISTEN_PORT, 0)),
    bad_policy("short IFINDEX", LENGTH, u16(Device.IFINDEX, 0)),
    bad_policy("NESTED on FWMARK", NO_NEST, u32(Device.FWMARK | 0x8000, 0)),
    bad_policy("NESTED on a key", NO_NEST,
               attr(Device.PRIVATE_KEY | 0x8000, bytes(32))),
    bad_policy("no NESTED on PEERS", "EINVAL: NLA_F_NESTED is missing", attr(Device.PEERS, peer(A))),
    bad_policy("device flag 2", RESERVED_BIT, u32(Device.FLAGS, 2)),
    bad_policy("device flag 2^31", RESERVED_BIT, u32(Device.FLAGS, 0x80000001)),
    bad_policy("short device flags", LENGTH, u16(Device.FLAGS, 1)),
    bad_policy("IFNAME without NUL", "EINVAL: Attribute failed policy validation", attr(Device.IFNAME, b"wg0")),
    bad_policy("IFNAME of 16 without NUL", "EINVAL: Attribute failed policy validation",
               attr(Device.IFNAME, b"w" * 16)),
    bad_policy("IFNAME of 16", "EINVAL: Attribute failed policy validation", name("w" * 16)),
    bad_policy("IFNAME with much after its NUL", "ERANGE: Attribute failed policy validation",
               attr(Device.IFNAME, b"wg0" + bytes(15))),
    bad_policy("empty IFNAME", "EINVAL: Attribute failed policy validation", attr(Device.IFNAME)),
    # row N5
    bad_policy("private key of 31", RANGE,
               attr(Device.PRIVATE_KEY, bytes(31))),
    bad_policy("private key of 33", RANGE,
               attr(Device.PRIVATE_KEY, bytes(33))),
    bad_policy("private key of 0", RANGE, attr(Device.PRIVATE_KEY)),
    bad_policy("public key of 31", RANGE,
               attr(Device.PUBLIC_KEY, bytes(31))),
    bad_policy("peer element of 1 byte", "ERANGE: Array element too short", peers(attr(0x8000, b"\0"))),
    bad_policy("peer element of 3 bytes", "ERANGE: Array element too short", peers(attr(0x8000, bytes(3)))),
    bad_peer("unknown peer attribute", UNKNOWN, u32(11, 0)),
    bad_peer("peer attribute of type 0", UNKNOWN, u32(0, 0)),
    bad_peer("trailing bytes in a peer", LEFTOVER, b"\0\0"),
    bad_peer("peer key of 31", RANGE, attr(Peer.PUBLIC_KEY, bytes(31)),
             key=None),
    bad_peer("peer key of 33", RANGE, attr(Peer.PUBLIC_KEY, bytes(33)),
             key=None),
    bad_peer("PSK of 31", RANGE, attr(Peer.PRESHARED_KEY, bytes(31))),
    bad_peer("PSK of 33", RANGE, attr(Peer.PRESHARED_KEY, bytes(33))),
    bad_peer("peer flag 8", RESERVED_BIT, u32(Peer.FLAGS, 8)),
    bad_peer("peer flags 0xf", RESERVED_BIT, u32(Peer.FLAGS, 15)),
    bad_peer("endpoint of 15", RANGE, attr(Peer.ENDPOINT, bytes(15))),
    bad_peer("long interval", LENGTH, u32(Peer.KEEPALIVE, 1)),
    bad_peer("last handshake of 15", RANGE,
             attr(Peer.LAST_HANDSHAKE, bytes(15))),
    bad_peer("last handshake of 17", RANGE,
             attr(Peer.LAST_HANDSHAKE, bytes(17))),
    bad_peer("short RX_BYTES", LENGTH, u32(Peer.RX_BYTES, 1)),
    bad_peer("short TX_BYTES", LENGTH, u32(Peer.TX_BYTES, 1)),
    bad_peer("short version", LENGTH, u16(Peer.VERSION, 1)),
    bad_peer("NESTED on a PSK", NO_NEST,
             attr(Peer.PRESHARED_KEY | 0x8000, bytes(32))),
    bad_peer("no NESTED on ALLOWEDIPS", "EINVAL: NLA_F_NESTED is missing",
             attr(Peer.ALLOWEDIPS, allowed_ip("10.0.0.0/8"))),
    bad_peer("allowed IP of 2 bytes", "ERANGE: Array element too short",
             nest(Peer.ALLOWEDIPS, attr(0x8000, b"\0\0"))),
    bad_ip("unknown attribute of an allowed IP", UNKNOWN, FAMILY4, ADDRESS4, MASK8,
           u32(5, 0), after=()),
    bad_ip("allowed IP flag 2", RESERVED_BIT, FAMILY4, ADDRESS4, MASK8, u32(AllowedIp.FLAGS, 2),
           after=()),
    bad_ip("address of 3", RANGE, FAMILY4, MASK8,
           attr(AllowedIp.IPADDR, bytes(3)), after=()),
    bad_ip("long mask", LENGTH, FAMILY4, ADDRESS4, u16(AllowedIp.CIDR_MASK, 8),
           after=()),
    bad_ip("short family", LENGTH, u8(AllowedIp.FAMILY, 2), ADDRESS4, MASK8, after=()),
    bad_ip("trailing bytes in an allowed IP", LEFTOVER, FAMILY4, ADDRESS4,
           MASK8, b"\0", after=()),
    # row N14
    row("attribute 3 in a GET", UNKNOWN, WG0, attr(Device.PRIVATE_KEY, PRIVATE), **DUMPING),
    row("PEERS in a GET", UNKNOWN, WG0, peers(), **DUMPING),
    row("short IFINDEX in a GET", LENGTH, u16(Device.IFINDEX, 1), **DUMPING),
    row("IFNAME without NUL in a GET", "EINVAL: Attribute failed policy validation", attr(Device.IFNAME, b"wg0"),
        **DUMPING),
    row("policy before device", UNKNOWN, name("none"), u32(9, 0)),
]

# --- 2.1, 5 to 7 and 2.2 G1: the interface

LOOKUP = [
    # row N6
    row("no interface", "EBADR", BAIT),
    row("name and index", "EBADR", WG0, u32(Device.IFINDEX, 1), BAIT),
    # row N7
    row("unknown name", "ENODEV", name("none"), BAIT),
    row("empty name", "ENODEV", name(""), BAIT),
    row("unknown index", "ENODEV", u32(Device.IFINDEX, 987654), BAIT),
    row("index 0", "ENODEV", u32(Device.IFINDEX, 0), BAIT),
    row("index 2^32-1", "ENODEV", u32(Device.IFINDEX, 0xffffffff), BAIT),
    # row N8
    row("another kind of interface", "EOPNOTSUPP", name("lo"), BAIT),
    row("another kind by its index", "EOPNOTSUPP", u32(Device.IFINDEX, 1), BAIT),
    # row G1
    row("GET: no interface", "EBADR", **DUMPING),
    row("GET: name and index", "EBADR", WG0, u32(Device.IFINDEX, 1), **DUMPING),
    row("GET: unknown name", "ENODEV", name("none"), **DUMPING),
    row("GET: unknown index", "ENODEV", u32(Device.IFINDEX, 987654), **DUMPING),
    row("GET: another kind of interface", "EOPNOTSUPP", name("lo"), **DUMPING),
]

# --- 2.4: peers; what comes before the fault stays

KEEP = u32(Device.FWMARK, 99) + u16(Device.LISTEN_PORT, 2000)
KEPT = device(fwmark=99, port=2000)

PEERS = [
    # rows P1 O8
    row("peer without a key", "EINVAL", WG0, BAIT, peers(GOOD, peer(psk=PSK), peer(D)),
        after=(baited, add(C, ["10.9.0.0/16"]))),
    # row N11
    row("empty peer", "EINVAL", WG0, BAIT, peers(GOOD, nest(0), peer(D)), after=(baited, add(C, ["10.9.0.0/16"]))),
    # row N9
    row("peer element without NESTED", "EINVAL", WG0, KEEP, peers(GOOD, attr(0, attr(Peer.PUBLIC_KEY, D))),
        after=(KEPT, add(C, ["10.9.0.0/16"]))),
    # row P2
    row("version 2", "EPFNOSUPPORT", WG0, KEEP, peers(
        GOOD, peer(A, psk=PSK2, keepalive=1, version=2, ips=["10.2.0.0/16"]), peer(D)),
        after=(KEPT, add(C, ["10.9.0.0/16"]))),
    row("version 2 of a new peer", "EPFNOSUPPORT", WG0, peers(peer(D, version=2))),
    row("version 2 and REMOVE_ME", "EPFNOSUPPORT", WG0, peers(peer(A, flags=Peer.REMOVE_ME, version=2))),
    row("version 0", "EPFNOSUPPORT", WG0, peers(peer(A, version=0))),
    row("no key before version", "EINVAL", WG0, peers(peer(version=2))),
    # row P8
    bad_ip("no family", "EINVAL", ADDRESS4, MASK8),
    bad_ip("no address", "EINVAL", FAMILY4, MASK8),
    bad_ip("no mask", "EINVAL", FAMILY4, ADDRESS4),
    bad_ip("empty allowed IP", "EINVAL"),
    bad_ip("mask 33", "EINVAL", FAMILY4, ADDRESS4, u8(AllowedIp.CIDR_MASK, 33)),
    bad_ip("mask 129", "EINVAL", FAMILY6, ADDRESS6, u8(AllowedIp.CIDR_MASK, 129)),
    bad_ip("mask 255", "EINVAL", FAMILY6, ADDRESS6, u8(AllowedIp.CIDR_MASK, 255)),
    bad_ip("address of 5", "EINVAL", FAMILY4, attr(AllowedIp.IPADDR, bytes(5)), MASK8),
    bad_ip("long IPv4 address", "EINVAL", FAMILY4, ADDRESS6, MASK8),
    bad_ip("short IPv6 address", "EINVAL", FAMILY6, ADDRESS4, MASK8),
    bad_ip("IPv6 address of 17", "EINVAL", FAMILY6, attr(AllowedIp.IPADDR, bytes(17)), MASK8),
    bad_ip("family 0", "EINVAL", u16(AllowedIp.FAMILY, 0), ADDRESS4, MASK8),
    bad_ip("family 3", "EINVAL", u16(AllowedIp.FAMILY, 3), ADDRESS4, MASK8),
    bad_ip("mask 33 to remove", "EINVAL", FAMILY4, ADDRESS4, u8(AllowedIp.CIDR_MASK, 33), u32(AllowedIp.FLAGS, 1)),
    row("allowed IP without NESTED", "EINVAL", WG0, peers(
        peer(A, ips=["10.7.0.0/16", attr(0, FAMILY4 + ADDRESS4 + MASK8)])),
        after=first(ips=["10.0.0.0/8", "fd00::/8", "10.7.0.0/16"])),
    row("wrong allowed IP of a new peer", "EINVAL", WG0, peers(
        peer(D, psk=PSK, keepalive=5, ips=["10.7.0.0/16", nest(0, FAMILY4)])),
        after=add(D, ["10.7.0.0/16"], psk=PSK)),
    row("wrong allowed IP after a stolen one", "EINVAL", WG0, peers(peer(A, ips=["10.1.0.0/16", nest(0, FAMILY4)])),
        after=(first(ips=["10.0.0.0/8", "fd00::/8", "10.1.0.0/16"]),
               lambda state: state["peers"][1].update(ips=[]))),
    row("new key, then a wrong peer", "EINVAL", WG0, attr(Device.PRIVATE_KEY, bytes(32)), peers(peer()),
        after=lambda state: (state.pop("private"), state.pop("public"))),
]
