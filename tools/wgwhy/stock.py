# SPDX-License-Identifier: GPL-2.0
"""What the stock family "wireguard" has and the other one has not: allowed IPs."""

import errno
import ipaddress

import netlink

GET_DEVICE = 0
DEVICE_IFNAME, DEVICE_PEERS = 2, 8
PEER_PUBLIC_KEY, PEER_ALLOWED_IPS = 1, 9
ALLOWED_ADDRESS, ALLOWED_LENGTH = 2, 3


def prefix(data):
    """A prefix, as wg shows it."""
    found = dict(netlink.attributes(data))
    return f"{ipaddress.ip_address(found[ALLOWED_ADDRESS])}/{found[ALLOWED_LENGTH][0]}"


def peers(answers):
    """Yields the attributes of each peer, once for each message that has some of it."""
    for answer in answers:
        for number, payload in netlink.attributes(answer):
            if number == DEVICE_PEERS:
                for _, peer in netlink.attributes(payload):
                    yield dict(netlink.attributes(peer))


def allowed_ips(name):
    """The allowed IPs of each peer of an interface, by key; nothing where it may not be read."""
    asked = netlink.attribute(DEVICE_IFNAME, name.encode(errors="surrogateescape") + b"\0")
    try:
        answers = netlink.Client("wireguard").exchange_whole(GET_DEVICE, asked)
    except netlink.Missing:
        return {}
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENODEV, errno.EOPNOTSUPP):
            return {}
        raise
    found = {}
    for peer in peers(answers):
        found.setdefault(peer[PEER_PUBLIC_KEY], []).extend(
            prefix(data) for _, data in netlink.attributes(peer.get(PEER_ALLOWED_IPS, b"")))
    return found
