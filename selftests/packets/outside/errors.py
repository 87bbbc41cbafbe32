# SPDX-License-Identifier: GPL-2.0
"""Errors: of the local stack, of packets that no peer takes, and what comes back from outside."""

import json
import socket
import struct
import subprocess
import time

from wgtest.check import equal, holds, run
from wgtest.genl import Peer, namespace, peer, peers
from wgtest.packets import checksum

from .ends import IN_B, OUT_A, PORT_B, WG0, Tap, anew, clients, in_ns, nft, ping, statistics, transfer, udp_socket


def local_failures():
    """row E7: what the local stack drops counts as sent by the peer, but as dropped or failed by
    the interface."""
    for family in (4, 6):
        anew(family)
        holds("ping", ping("a", IN_B[4]))
        time.sleep(0.3)
        nft("a", f"table inet t {{ chain out {{ type filter hook output priority 0; udp dport {PORT_B} drop; }}; }}")
        before, (_, sent) = statistics("a")["tx"], transfer("a")
        with udp_socket("a") as out:
            out.sendto(b"x", (IN_B[4], 9))
        time.sleep(0.2)
        after = statistics("a")["tx"]
        nft("a", "delete table inet t")
        equal(f"IPv{family}: errors, dropped, bytes, packets", [after[what] - before[what] for what in (
            "errors", "aborted_errors", "dropped", "bytes", "packets")],
              [1, 1, 0, 0, 0] if family == 6 else [0, 0, 1, 0, 0])
        equal(f"IPv{family}: bytes of the peer", transfer("a")[1] - sent, 64)


def unreachable():
    """rows D2 D3 D5 L14: a sender beyond us gets an ICMP error for what no peer can take, also
    behind source NAT."""
    run("ip netns add c")
    run("ip link add north netns c type veth peer name south netns a")
    for where, link, four, six in (("c", "north", "10.5.0.2/24", "fd05::2/64"), ("a", "south", "10.5.0.1/24", "fd05::1/64")):
        run(f"ip -n {where} addr add {four} dev {link}")
        run(f"ip -n {where} addr add {six} dev {link} nodad")
        run(f"ip -n {where} link set {link} up")
    run("ip -n c route add default via 10.5.0.1")
    run("ip -n c -6 route add default via fd05::1")
    in_ns("a", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 "
          "net.ipv6.icmp.ratelimit=0")
    run("ip -n a route add 172.16.0.0/24 dev wg0")
    run("ip -n a -6 route add fd16::/64 dev wg0")
    silent = bytes([3]) * 32
    # D3: a peer without endpoint.
    clients["a"].set(WG0, peers(peer(silent, ips=["172.16.0.8/32", "fd16::8/128"])))

    def told(address):
        before = statistics("a")["tx"]["errors"]
        done = subprocess.run(["ip", "netns", "exec", "c", "ping", "-n", "-c1", "-W2", address], check=False,
                              capture_output=True, text=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith("From")]
        return lines, statistics("a")["tx"]["errors"] - before
    ping("c", "10.5.0.1")
    ping("c", "fd05::1")
    for title, address, line in (("no peer", "172.16.0.7", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                                 ("no endpoint", "172.16.0.8", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                                 ("no peer", "fd16::7", "From fd05::1 icmp_seq=1 Destination unreachable: Address "
                                  "unreachable"),
                                 ("no endpoint", "fd16::8", "From fd05::1 icmp_seq=1 Destination unreachable: Address "
                                  "unreachable")):
        equal(f"{title}, {address}", told(address), ([line], 1))
    # row D5
    nft("a", """table inet t { chain post {
        type nat hook postrouting priority 100; ip saddr 10.5.0.2 oifname wg0 snat ip to 192.168.7.1;
        ip6 saddr fd05::2 oifname wg0 snat ip6 to fd77::1; }; }""")
    for address, line in (("172.16.0.7", "From 10.5.0.1 icmp_seq=1 Destination Host Unreachable"),
                          ("fd16::7", "From fd05::1 icmp_seq=1 Destination unreachable: Address unreachable")):
        equal(f"behind NAT, {address}", told(address), ([line], 1))
    nft("a", "delete table inet t")
    clients["a"].set(WG0, peers(peer(silent, flags=Peer.REMOVE_ME)))
    run("ip netns del c")
    run("ip -n a route del 172.16.0.0/24 dev wg0")


def too_big():
    """row D20: an ICMP message that asks for smaller packets outside changes nothing inside."""
    anew()
    holds("ping", ping("a", IN_B[4], "-s", "1392", "-M", "do"))
    tap = Tap("b")
    with udp_socket("a") as out:
        out.sendto(bytes(1000), (IN_B[4], PORT_B))
    header, udp, body = tap.messages()[0]
    tap.close()
    quoted = header + udp + body[:20]
    icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quoted
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    with namespace("b"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.sendto(icmp, (OUT_A[4], 0))
    raw.close()
    time.sleep(0.2)
    holds("as large as before", ping("a", IN_B[4], "-s", "1392", "-M", "do"))
    equal("MTU", json.loads(run("ip -n a -j link show wg0"))[0]["mtu"], 1420)
    run("ip -n a route flush cache")
