# SPDX-License-Identifier: GPL-2.0
"""The two ends of the tunnel, the namespaces a and b."""

import json
import socket
import struct
import subprocess

from wgtest import check, packets
from wgtest.check import run
from wgtest.genl import Client, name, namespace, peer, peers, sockaddr

WG0 = name("wg0")
INITIATION, DATA = 1, 4
IN_A, IN_B = {4: "192.168.7.1", 6: "fd77::1"}, {4: "192.168.7.2", 6: "fd77::2"}
OUT_A, OUT_B = {4: "10.0.0.1", 6: "fd00:0::1"}, {4: "10.0.0.2", 6: "fd00:0::2"}
PORT_A, PORT_B = 51821, 51822

clients = {where: Client(where) for where in "ab"}


def in_ns(where, command, **more):
    return run(f"ip netns exec {where} {command}", **more)


def nft(where, text):
    subprocess.run(["ip", "netns", "exec", where, "nft", "-f", "-"], input=text, text=True, check=True)


def counters(where):
    """Packets of the named counters."""
    listed = json.loads(in_ns(where, "nft -j list counters"))["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed if "counter" in entry}


def ping(where, address, *options):
    done = subprocess.run(["ip", "netns", "exec", where, "ping", "-q", "-c1", "-W2", *options, address], check=False,
                          capture_output=True, text=True)
    return done.returncode == 0


def iperf(*options):
    run("ip netns exec b iperf3 --server --one-off --daemon")
    check.eventually(10, lambda: "5201" in in_ns("b", "ss -Hltn sport = :5201"))
    return json.loads(in_ns("a", f"iperf3 --json --client {IN_B[4]} {' '.join(options)}", timeout=120))["end"]


def key(where):
    """The public key of an end."""
    return clients[where].get("wg0")["public"]


def set_peer(where, other, **more):
    clients[where].set(WG0, peers(peer(key(other), **more)))


def anew(family=4):
    """No session, a's endpoint for b in this family."""
    for where in "ab":
        run(f"ip -n {where} link set wg0 down")
    for where in "ba":
        run(f"ip -n {where} link set wg0 up")
    set_peer("a", "b", endpoint=sockaddr(OUT_B[family], PORT_B), keepalive=0)


def transfer(where):
    told = clients[where].get("wg0")["peers"][0]
    return told["rx"], told["tx"]


def statistics(where):
    link, = json.loads(run(f"ip -n {where} -s -s -j link show wg0"))
    return link["stats64"]


def udp_socket(where, family=4, **more):
    with namespace(where):
        made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    for option, value in more.items():
        made.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    return made


class Tap(packets.Tap):
    """Sees the messages on a link as well."""

    def messages(self, wait=0.3, kinds=(INITIATION, DATA)):
        """(IP header, UDP header, message) of each datagram to the port of b."""
        found = []
        for data in self.packets(wait):
            length = 40 if data[0] >> 4 == 6 else 20
            protocol = data[6] if length == 40 else data[9]
            udp, body = data[length:length + 8], data[length + 8:]
            if protocol == 17 and struct.unpack_from("!H", udp, 2)[0] == PORT_B and body[0] in kinds:
                found.append((data[:length], udp, body))
        return found
