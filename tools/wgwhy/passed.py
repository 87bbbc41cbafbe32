# SPDX-License-Identifier: GPL-2.0
"""What the handshakes that were seen on this host's devices prove about a peer."""

import ipaddress

import host


def answers(seen, peer):
    """The answers to handshakes that came to this host from a peer's address."""
    return seen.answers.get(ipaddress.ip_address(peer["endpoint"]["address"]), [])


def has_left(seen, peer, *kinds):
    """Whether a handshake message to a peer, or one that may be, has left by a device that hands it
    to no other."""
    place = ipaddress.ip_address(peer["endpoint"]["address"]), peer["endpoint"].get("port", 0)
    devices = {one.device for one in seen.messages if one.kind in kinds and one.is_out
               and one.device != seen.name
               and (one.sport == seen.port or (one.target, one.dport) == place)}
    return not all(map(host.lowers, devices))


def has_come(seen, peer):
    """Whether a handshake message came to this host from a peer's address."""
    address = ipaddress.ip_address(peer["endpoint"]["address"])
    return any(one.source == address and seen.is_for_us(one) for one in seen.messages
               if one.kind in ("initiation", "response", "cookie"))


def in_vrf(messages):
    """(device, VRF) by which messages came that sockets outside the VRF do not hear."""
    if host.sysctl("net/ipv4/udp_l3mdev_accept"):
        return None
    return next(((device, vrf) for device in sorted({one.device for one in messages})
                 for vrf in [host.vrf_of(device)] if vrf), None)


# What to do about that.
L3MDEV = "sysctl net.ipv4.udp_l3mdev_accept=1"


def may_be_here(seen, peer):
    """Whether something on this host may drop the handshakes with a peer, or their answers: not if
    they leave, and nothing comes."""
    if not seen.is_wire_open or not seen.is_wire_whole:
        return True
    is_tried = seen.growth(peer, "handshakes-begun") + seen.growth(peer, "handshakes-answered") > 0
    return has_come(seen, peer) or is_tried and not has_left(seen, peer, "initiation", "response")
