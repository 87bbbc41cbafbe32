# SPDX-License-Identifier: GPL-2.0
"""Addresses, networks, interfaces and routes that are elsewhere than they should be."""

import contextlib
import io
import ipaddress
import unittest
from unittest import mock

import host
import netlink
import programs
from test_causes import OURS, Case, peer, refusals, wgwhy
from test_way import WAITS
from wire import Message


class Networks(Case):
    def setUp(self):
        super().setUp()
        self.allow("192.168.1.0/24")
        self.route = lambda address, mark, device: {"dev": "eth1" if address.startswith("192") else "eth0"}
        self.entry = lambda address: {"dst": "192.168.1.0/24", "dev": "eth1", "scope": "link", "protocol": "kernel"}

    def test_the_same_here(self):
        self.says("192.168.1.0/24 is also the network of eth1 here", peer())
        self.allow("192.168.1.128/25")
        self.finds("network-overlap", peer())
        self.allow("192.168.1.7/32")
        self.finds("no-route-inside", peer())
        self.allow("192.168.0.0/16")
        self.host["routes_into"] = lambda name: []
        self.finds("no-route-inside", peer())

    def test_a_route_that_somebody_set(self):
        self.entry = lambda address: {"dst": "192.168.1.0/24", "dev": "eth1", "scope": "link"}
        self.finds("no-route-inside", peer())

    def test_behind_a_gateway(self):
        self.entry = lambda address: {"dst": "192.168.1.0/24", "dev": "eth1", "gateway": "10.0.0.9"}
        self.finds("no-route-inside", peer())

    def test_this_host_has_the_first_address(self):
        self.route = lambda address, mark, device: {"dev": "lo", "type": "local"} if address == "192.168.1.1" \
            else {"dev": "eth1" if address.startswith("192") else "eth0"}
        link = self.entry
        self.entry = lambda address: {"dst": address, "dev": "eth1", "type": "local", "scope": "host"} \
            if address == "192.168.1.1" else link(address)
        self.finds("network-overlap", peer())

    def test_where_it_works(self):
        self.host["ruled_routes"] = lambda name: [ipaddress.ip_network("192.168.1.0/24")]
        self.assertEqual(self.causes(peer()), [])
        self.host["ruled_routes"] = lambda name: []
        self.host["routes_into"] = lambda name: [ipaddress.ip_network("192.168.1.9/32")]
        self.assertEqual(self.causes(peer()), [])

    def test_another_inner_address(self):
        counts = iter(((0, 0), (1, 0)))
        self.allow("192.168.7.2/32")
        self.route = lambda address, mark, device: {"dev": "wg0" if address.startswith("192") else "eth0"}
        self.host["bad_addresses"] = lambda name: next(counts)
        self.says("than those of this host (192.168.7.1)", peer(rx_packets=4), before=[peer()])


class Endpoints(Case):
    def leads(self, kind):
        self.route = lambda address, mark, device: {"dev": "wg0"} if address.startswith("192") \
            else {"dev": "lo", "type": kind}

    def test_here(self):
        self.leads("local")
        self.host["has_socket"] = lambda port: port == 51821
        self.says("is an address of this host, where nothing listens on the port 51822", peer(**WAITS))
        self.assertEqual(self.causes(peer()), [])
        # A program may carry it on.
        self.host["has_socket"] = lambda port: True
        self.finds("unanswered", peer(**WAITS))

    def test_of_many(self):
        for kind in "broadcast", "multicast":
            self.leads(kind)
            self.finds("endpoint-broadcast", peer(**WAITS, refusal=refusals("tx-no-route")))


class Pinned(Case):
    def test_it_speaks_from_elsewhere(self):
        them, us = map(ipaddress.ip_address, ("10.0.0.77", "10.0.0.1"))
        self.messages = [Message("initiation", "eth0", False, them, us, 7, 51821)]
        before = [peer(state="answered", handshakes_answered=3)]
        for pin, wanted in (("fixed", True), ("with-handshakes", False), ("moves", False), (None, False)):
            (trouble,) = self.troubles(peer(state="answered", handshakes_answered=4, pin=pin), before=before)
            self.assertEqual(trouble["cause"], "answer-lost")
            self.assertEqual("its endpoint is pinned to 10.0.0.2:51822, and it speaks from 10.0.0.77:7" in trouble["what"],
                             wanted)
        self.messages = []
        self.says("(its endpoint is pinned to 10.0.0.2:51822)", peer(**WAITS, pin="fixed"))
        self.says("(its endpoint is pinned to 10.0.0.2:51822)", peer(awaiting=True, tx_packets=9, pin="with-handshakes"),
                  before=[peer(awaiting=True)])


class Keys(Case):
    def test_own_key(self):
        words = f"a peer with the own key of wg0, {host.key_text(OURS)}, is ignored"
        self.says(words)
        self.says(words, peer(), refusal=refusals("tx-no-peer"), refused_destination=bytes([1, 1, 1, 1]))


class Nowhere(unittest.TestCase):
    def says(self, others=(), files=()):
        out = io.StringIO()
        with mock.patch.object(netlink, "Client", mock.Mock()), contextlib.redirect_stdout(out), \
                mock.patch.object(wgwhy, "interfaces", lambda client: []), \
                mock.patch.multiple(host, interfaces_elsewhere=lambda: list(others), configured=lambda: list(files)):
            return wgwhy.main([]), out.getvalue()

    def test_no_interface(self):
        self.assertEqual(self.says()[0], 0)
        status, text = self.says(others=[("blue", "wg5")])
        self.assertEqual(status, 1)
        self.assertIn("others have 1 interface, like wg5 in blue", text)
        status, text = self.says(files=["wg0", "wg1"])
        self.assertEqual(status, 1)
        self.assertIn("/etc/wireguard has wg0.conf, wg1.conf", text)
        self.assertIn("Try: wg-quick up wg0.", text)

    def test_elsewhere(self):
        texts = {("ip", "netns", "list"): "blue (id: 3)\nred\n",
                 ("ip", "-n", "blue", "-j", "link", "show", "type", "wireguard"): '[{"ifname": "wg5"}, {}]'}
        with mock.patch.object(programs, "run", lambda *words: texts.get(words, "")):
            self.assertEqual(host.interfaces_elsewhere(), [("blue", "wg5")])


if __name__ == "__main__":
    unittest.main()
