# SPDX-License-Identifier: GPL-2.0
"""Tunnels in tunnels."""

import json
import os
import time

from wgtest.check import holds, run
from wgtest.genl import Device, attr, name, peer, peers, sockaddr, u16

from .ends import IN_A, IN_B, PORT_B, WG0, anew, clients, key, ping


def nested():
    """row D16"""
    anew()
    holds("ping", ping("a", IN_B[4]))
    private = {where: os.urandom(32) for where in "ab"}
    for where in "ab":
        run(f"ip -n {where} link add wg1 mtu 1340 type wireguard")
        clients[where].set(name("wg1"), attr(Device.PRIVATE_KEY, private[where]),
                           u16(Device.LISTEN_PORT, 6000 if where == "a" else 6001))
    public = {where: clients[where].get("wg1")["public"] for where in "ab"}
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr(IN_B[4], 6001), ips=["192.168.8.2/32"])))
    clients["b"].set(name("wg1"), peers(peer(public["a"], endpoint=sockaddr(IN_A[4], 6000), ips=["192.168.8.1/32"])))
    for where, address in (("a", "192.168.8.1/24"), ("b", "192.168.8.2/24")):
        run(f"ip -n {where} addr add {address} dev wg1")
        run(f"ip -n {where} link set wg1 up")
    holds("a tunnel in a tunnel", ping("a", "192.168.8.2", "-w", "5") and ping("b", "192.168.8.1", "-s", "4000"))
    # Onto itself: the endpoint is reached through the interface. It may not work, but it ends.
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr("192.168.8.2", 6001))))
    ping("a", "192.168.8.2")
    time.sleep(1)
    sent = json.loads(run("ip -n a -s -j link show wg1"))[0]["stats64"]["tx"]["bytes"]
    time.sleep(1)
    grown = json.loads(run("ip -n a -s -j link show wg1"))[0]["stats64"]["tx"]["bytes"] - sent
    holds(f"a loop goes on: {grown} bytes in a second", grown < 70000)
    # Two tunnels, each through the other.
    clients["a"].set(WG0, peers(peer(key("b"), endpoint=sockaddr("192.168.8.2", PORT_B))))
    clients["a"].set(name("wg1"), peers(peer(public["b"], endpoint=sockaddr(IN_B[4], 6001))))
    ping("a", IN_B[4])
    time.sleep(0.5)
    for where in "ab":
        run(f"ip -n {where} link del wg1")
    anew()
    holds("the outer one still works", ping("a", IN_B[4]))
