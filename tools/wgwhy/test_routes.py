# SPDX-License-Identifier: GPL-2.0
"""Routes and counters of the host that are right for a tunnel, or have nothing to do with it."""

import ipaddress
import json
import unittest
from unittest import mock

import host
import programs
from test_causes import Case, peer
from test_wire import THEM
from wire import Message


class Bound(Case):
    """No route leads into the tunnel, as programs are bound to its device."""

    def setUp(self):
        super().setUp()
        self.host["routes_into"] = lambda name: []
        self.route = lambda address, mark, device: {"dev": "eth0"}

    def test_data_flows(self):
        for prefix in "0.0.0.0/0", "192.168.7.2/32":
            self.allow(prefix)
            self.assertEqual(self.causes(peer(tx_packets=9, tx_bytes=900), before=[peer()]), [], prefix)
            self.assertEqual(self.causes(peer(tx_packets=4, tx_bytes=332), before=[peer()]), [], prefix)

    def test_nothing_flows(self):
        self.allow("0.0.0.0/0")
        self.finds("no-route-inside?", peer())
        self.says("a program that is bound to it, or a routing daemon", peer())
        self.host["bound_to"] = lambda name: ['(("dnsmasq",pid=7,fd=5))']
        self.says('unless (("dnsmasq",pid=7,fd=5)), which is bound to it', peer())
        self.allow("192.168.7.2/32")
        self.finds("no-route-inside?", peer())
        self.host["bound_to"] = lambda name: []
        self.finds("no-route-inside", peer())


class Forwarding(Case):
    def test_of_the_whole_host(self):
        for times, rx, tx, is_sure in (2, 5, 3, True), (1, 5, 3, False), (2, 9, 3, False), (2, 5, 9, False):
            counts = iter(((0, 0), (1, 0)))
            self.times = times
            self.host["bad_addresses"] = lambda name, counts=counts: next(counts)
            self.finds("forwarding" + "?" * (not is_sure), peer(rx_packets=rx, tx_packets=tx), before=[peer()])


class Sources(Case):
    """Rules that go by the source, which the kernel gives and a question may not."""

    SENT = Message("initiation", "eth1", True, ipaddress.ip_address("10.1.0.1"), THEM, 51821, 51822)

    def setUp(self):
        super().setUp()
        self.host["link"] = lambda name: {"mtu": {"wg0": 1420, "eth0": 1400}.get(name, 1500)}
        self.host["has_source_rules"] = lambda: True
        self.host["all_addresses"] = lambda: ["10.0.0.1", "10.1.0.1"]
        self.asked = []

        def routes(asked):
            self.asked += asked
            return [{"dev": "eth1"} if way.source == "10.1.0.1" else self.way(way) for way in asked]
        self.host["routes"] = routes

    def test_of_what_was_seen(self):
        self.messages = [self.SENT]
        self.assertEqual(self.causes(peer()), [])
        self.assertIn("10.1.0.1", {way.source for way in self.asked})
        # Something on the way out rewrote it.
        self.host["all_addresses"] = lambda: ["10.0.0.1"]
        self.assertEqual(self.causes(peer()), ["mtu?"])

    def test_unknown(self):
        self.finds("mtu?", peer())
        self.host["has_source_rules"] = lambda: False
        self.finds("mtu", peer())
        self.route = lambda address, mark, device: \
            {"dev": "wg0"} if address.startswith("192") else "network is unreachable"
        self.finds("no-route-outside", peer())
        self.host["has_source_rules"] = lambda: True
        self.finds("no-route-outside?", peer())
        self.finds("no-route-outside", peer(state="waiting", attempt=5, session_age=None))

    def test_of_what_is_tracked(self):
        self.host["tracked"] = lambda port: {("10.0.0.2", 51822): "10.1.0.1"}
        self.assertEqual(self.causes(peer()), [])
        text = "ipv4 2 udp 17 29 src=10.0.0.2 dst=10.1.0.1 sport=51822 dport=51821 src=10.1.0.1 dst=10.0.0.2 " \
               "sport=51821 dport=51822 [ASSURED] mark=0 use=2\n"
        with mock.patch.object(host, "read", lambda name: text):
            self.assertEqual(host.tracked(51821), {("10.0.0.2", 51822): "10.1.0.1"})

    def test_words(self):
        self.assertEqual(host.Way("10.0.0.2", 7, source="10.1.0.1").words(), "route get 10.0.0.2 from 10.1.0.1 mark 7")
        for rules, wanted in (([{"src": "all", "table": "main"}], False), ([{"src": "10.1.0.0", "srclen": 16}], True)):
            with mock.patch.object(programs, "run", lambda *words, rules=rules: json.dumps(rules)):
                self.assertEqual(host.has_source_rules(), wanted)


class Programs(unittest.TestCase):
    def test_bound(self):
        text = 'udp UNCONN 0 0 0.0.0.0%wg0:514 0.0.0.0:* users:(("socat",pid=1,fd=5))\n' \
               'udp UNCONN 0 0 0.0.0.0%wg01:5 0.0.0.0:* users:(("x",pid=1,fd=5))\n' \
               'tcp LISTEN 0 0 [::]%wg0:5 [::]:*\n'
        with mock.patch.object(programs, "run", lambda *words: text):
            self.assertEqual(host.bound_to("wg0"), ['(("socat",pid=1,fd=5))', "a program"])


if __name__ == "__main__":
    unittest.main()
