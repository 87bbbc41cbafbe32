# SPDX-License-Identifier: GPL-2.0
"""Routes and counters of the host that are right for a tunnel, or have nothing to do with it."""

import unittest
from unittest import mock

import host
from test_causes import Case, peer


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


class Programs(unittest.TestCase):
    def test_bound(self):
        text = 'udp UNCONN 0 0 0.0.0.0%wg0:514 0.0.0.0:* users:(("socat",pid=1,fd=5))\n' \
               'udp UNCONN 0 0 0.0.0.0%wg01:5 0.0.0.0:* users:(("x",pid=1,fd=5))\n' \
               'tcp LISTEN 0 0 [::]%wg0:5 [::]:*\n'
        with mock.patch.object(host, "run", lambda *words: text):
            self.assertEqual(host.bound_to("wg0"), ['(("socat",pid=1,fd=5))', "a program"])


if __name__ == "__main__":
    unittest.main()
