#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""pyroute2 and the kernel's ynl configure and read wg0, and each sees what the other and wg say.

usage: netlink-clients.py FOLDER-OF-YNL
"""

import base64
import os
import pathlib
import socket
import subprocess
import sys

from pyroute2 import WireGuard

YNL = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(YNL / "pyynl"))
from lib import NlError, YnlFamily  # noqa: E402  pylint: disable=wrong-import-position,import-error


def equal(title, got, wanted):
    if got != wanted:
        raise SystemExit(f"FAIL: {title}: {got!r}, not {wanted!r}")


def wg(*words, stdin=None):
    return subprocess.run(["wg", *words], input=stdin, check=True, capture_output=True, text=True).stdout.strip()


def values(array):
    """What ynl's array holds: each entry comes under its type."""
    return [value for entry in array for value in entry.values()]


def text(key):
    return base64.b64encode(key).decode()


def by_pyroute2():
    """Two peers, one after the other, one with everything; then reading; then removing."""
    private, one, two, psk = wg("genkey"), *(text(os.urandom(32)) for _ in range(3))
    client = WireGuard()
    client.set("wg0", private_key=private, listen_port=2525, fwmark=0x1337, peer={
        "public_key": one, "preshared_key": psk, "endpoint_addr": "192.0.2.8", "endpoint_port": 8888,
        "persistent_keepalive": 15, "allowed_ips": ["10.0.0.0/24", "8.8.8.8/32", "fd01::/64"]})
    client.set("wg0", peer={"public_key": two, "endpoint_addr": "2001:db8::8", "endpoint_port": 9999,
                            "allowed_ips": ["::/0"]})
    equal("key", wg("show", "wg0", "private-key"), private)
    equal("port", wg("show", "wg0", "listen-port"), "2525")
    equal("mark", wg("show", "wg0", "fwmark"), "0x1337")
    equal("prefixes", wg("show", "wg0", "allowed-ips"), f"{one}\t10.0.0.0/24 8.8.8.8/32 fd01::/64\n{two}\t::/0")
    equal("endpoints", wg("show", "wg0", "endpoints"), f"{one}\t192.0.2.8:8888\n{two}\t[2001:db8::8]:9999")
    equal("preshared keys", wg("show", "wg0", "preshared-keys"), f"{one}\t{psk}\n{two}\t(none)")
    equal("keepalive", wg("show", "wg0", "persistent-keepalive"), f"{one}\t15\n{two}\toff")

    info = client.info("wg0")[0]
    equal("its port", info.get_attr("WGDEVICE_A_LISTEN_PORT"), 2525)
    equal("its name", info.get_attr("WGDEVICE_A_IFNAME"), "wg0")
    equal("its index", info.get_attr("WGDEVICE_A_IFINDEX"), socket.if_nametoindex("wg0"))
    peers = info.get_attr("WGDEVICE_A_PEERS")
    equal("its peers", [peer.get_attr("WGPEER_A_PUBLIC_KEY").decode() for peer in peers], [one, two])
    equal("its keepalive", peers[0].get_attr("WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL"), 15)
    equal("its prefixes", [prefix["addr"] for prefix in peers[0].get_attr("WGPEER_A_ALLOWEDIPS")],
          ["10.0.0.0/24", "8.8.8.8/32", "fd01::/64"])

    client.set("wg0", peer={"public_key": one, "remove": True})
    equal("after removing", wg("show", "wg0", "peers"), two)
    client.close()


def by_ynl():
    """The same, by the words of the kernel's own specification."""
    family = YnlFamily(str(YNL / "../../../Documentation/netlink/specs/wireguard.yaml"), schema="")
    private, one, two, psk = os.urandom(32), os.urandom(32), os.urandom(32), os.urandom(32)
    endpoint = (socket.AF_INET.to_bytes(2, "little") + (1234).to_bytes(2, "big") + socket.inet_aton("192.0.2.9")
                + bytes(8))
    family.do("set-device", {
        "ifname": "wg0", "flags": ["replace-peers"], "private-key": private.hex(), "listen-port": 4712, "fwmark": 7,
        "peers": [
            {"public-key": one.hex(), "preshared-key": psk.hex(), "endpoint": endpoint.hex(), "flags": ["replace-allowedips"],
             "persistent-keepalive-interval": 22, "protocol-version": 1,
             "allowedips": [{"family": socket.AF_INET, "ipaddr": "10.8.0.0", "cidr-mask": 16},
                            {"family": socket.AF_INET6, "ipaddr": "fd08::", "cidr-mask": 64}]},
            {"public-key": two.hex()}]})
    equal("port", wg("show", "wg0", "listen-port"), "4712")
    equal("peers", wg("show", "wg0", "peers"), f"{text(one)}\n{text(two)}")
    equal("prefixes", wg("show", "wg0", "allowed-ips"), f"{text(one)}\t10.8.0.0/16 fd08::/64\n{text(two)}\t(none)")

    device, = family.dump("get-device", {"ifname": "wg0"})
    equal("its port", device["listen-port"], 4712)
    equal("its mark", device["fwmark"], 7)
    equal("its name", device["ifname"], "wg0")
    first, second = values(device["peers"])
    equal("its keys", (first["public-key"], first["preshared-key"], second["public-key"]),
          (one.hex(" "), psk.hex(" "), two.hex(" ")))
    equal("its keepalive", first["persistent-keepalive-interval"], 22)
    equal("its version", first["protocol-version"], 1)
    equal("its counters", (first["rx-bytes"], first["tx-bytes"]), (0, 0))
    equal("its prefixes", [(prefix["ipaddr"], prefix["cidr-mask"]) for prefix in values(first["allowedips"])],
          [("10.8.0.0", 16), ("fd08::", 64)])

    # Errors by number, the explanation where there is one.
    for request, number in (({"ifname": "wg404"}, 19), ({}, 53), ({"ifname": "lo"}, 95)):
        try:
            family.dump("get-device", request)
        except NlError as error:
            equal(f"get-device {request}", error.nl_msg.error, -number)
        else:
            raise SystemExit(f"FAIL: get-device {request} succeeds")
    family.do("set-device", {"ifname": "wg0", "peers": [{"public-key": one.hex(), "flags": ["remove-me"]}]})
    equal("after removing", wg("show", "wg0", "peers"), text(two))


by_pyroute2()
by_ynl()
