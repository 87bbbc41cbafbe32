# SPDX-License-Identifier: GPL-2.0
"""What looks like a trouble and is none; what other programs may print; and how long it takes with
many peers."""

import contextlib
import errno
import io
import ipaddress
import subprocess
import time
import unittest
from unittest import mock

import firewall
import host
import netlink
import programs
import seen
import stock
import watch
from prefixes import Networks
from test_causes import KEY, OTHER, OUTSIDE, Case, Kernel, peer, refusals, wgwhy
from test_looks import Looks, NoWire

REMOTE = {"address": OUTSIDE, "port": 7}


def network(text):
    return ipaddress.ip_network(text)


class Repaired(Case):
    def test_a_session_since(self):
        for reason, more in (("rx-bad-mac1", {"refused_remote": REMOTE}),
                             ("rx-initiation-unknown-peer", {"unknown_initiator": OTHER,
                                                             "unknown_initiator_remote": REMOTE})):
            facts = {"refusal": refusals(reason, age=9000), **more}
            self.assertEqual(self.causes(peer(session_age=5000), **facts), [])
            self.assertEqual(len(self.causes(peer(session_age=20_000), **facts)), 1)
            elsewhere = {"address": bytes([10, 0, 0, 9]), "port": 7}
            self.assertEqual(len(self.causes(peer(endpoint=elsewhere), **facts)), 1)

    def test_another_key_while_it_looks(self):
        elsewhere = {"address": bytes([10, 0, 0, 9]), "port": 7}
        for before, wanted in ((3, "our-key-unknown"), (4, "our-key-unknown?")):
            counts = iter((before, 4))
            with mock.patch.object(Kernel, "dump", lambda kernel, counts=counts, **_: [
                    {"interface": {**kernel.interface, "refusal": refusals("rx-bad-mac1", count=next(counts))}},
                    {"peer": peer()}]):
                self.finds(wanted, peer(), refused_remote=elsewhere)


class Moves(Looks):
    def test_back_again(self):
        def at(number):
            return peer(recent_moves=4, endpoint_source="data", endpoint={"address": OUTSIDE, "port": number})
        _, found = self.seconds(at(1), at(2), at(1))
        self.assertTrue(found.has_returned(found.peers[0]))
        seconds, found = self.seconds(at(1), at(2), at(3))
        self.assertEqual((seconds, found.has_returned(found.peers[0])), (6, False))

    def test_an_interface_that_goes(self):
        turns = []

        def dump(ifname):
            turns.append(ifname)
            if ifname == "wg1" and len(turns) > 2:
                raise netlink.Gone(errno.ENODEV, "no such interface")
            return Kernel([peer()], {}).dump()

        with mock.patch.multiple(host, has_socket=lambda port: True, tc_drops=lambda: {}, unsent=lambda: 0), \
                mock.patch.object(wgwhy.wire, "Wire", NoWire), \
                mock.patch.object(wgwhy.time, "sleep", lambda seconds: None), \
                mock.patch.object(firewall, "listing", lambda: []):
            self.assertEqual([one.name for one in wgwhy.look(mock.Mock(dump=dump), ["wg0", "wg1"])], ["wg0"])


class Peers(Case):
    def test_half_configured(self):
        self.allow()
        unused = {"state": "no-endpoint", "endpoint": None, "rx_packets": 0, "tx_packets": 0, "handshakes_begun": 0}
        self.finds("no-allowed-ips?", peer(**unused))
        self.finds("no-allowed-ips", peer(**{**unused, "endpoint": REMOTE}))
        self.finds("no-allowed-ips", peer(**{**unused, "rx_packets": 1}))

    def test_given_up(self):
        away = {"state": "given-up", "attempt": 20, "attempts_age": 90000}
        self.finds("unanswered?", peer(endpoint_source="initiation", **away))
        self.finds("unanswered", peer(endpoint_source="response", **away))
        self.finds("unanswered", peer(endpoint_source="data", keepalive=25, **away))


class Routes(Case):
    def test_a_route_that_stands_by(self):
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.host["main_routes"] = self.host["routes_into"]
        self.entry = lambda address: {"dst": "192.168.7.0/24", "dev": "eth0"}
        self.assertEqual(self.causes(peer()), [])
        # A narrower one is no spare.
        self.entry = lambda address: {"dst": "192.168.7.2", "dev": "eth0"}
        (trouble,) = self.troubles(peer())
        self.assertEqual(trouble["cause"], "no-route-inside")
        self.assertNotIn("no rule", trouble["what"])

    def test_several_hops(self):
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.entry = lambda address: {"dst": "192.168.7.0/24", "nexthops": [{"dev": "eth0"}, {"dev": "wg0"}]}
        self.assertEqual(self.causes(peer()), [])

    def test_the_flow_of_the_kernel(self):
        asked = []
        self.host["routes"] = lambda ways: asked.extend(ways) or [self.way(way) for way in ways]
        self.causes(peer(), fwmark=7)
        words = "route get 10.0.0.2 ipproto udp sport 51821 dport 51822"
        self.assertLessEqual({words, f"{words} mark 7"}, {way.words() for way in asked})
        self.assertEqual(host.Way("a", is_entry=True).words(), "route get fibmatch a")
        self.assertEqual(host.Way("a", 3, "eth0").words(), "route get a mark 3 oif eth0")

    def test_a_session_that_works(self):
        for found in "network is unreachable", {"dev": "wg0"}:
            self.route = lambda address, mark, device, found=found: {"dev": "wg0"} if address.startswith("192") else found
            self.assertEqual(self.causes(peer(rx_packets=9), before=[peer()]), [])
            self.assertEqual(len(self.causes(peer())), 1)

    def test_a_policy(self):
        self.says("a policy of IPsec", peer(state="waiting", attempt=5, refusal=refusals("tx-no-route")))


class Programs(unittest.TestCase):
    def prints(self, text):
        return mock.patch.object(programs, "run", lambda *words: text)

    def test_other_shapes(self):
        for text in '{"a": 1}', "3", "[1]", "null", '"a"', "[[]]", "[" * 100_000:
            host.link.cache_clear()
            host.neighbour.cache_clear()
            with self.prints(text):
                self.assertEqual((host.link("x"), host.addresses("x"), host.neighbour("a", "x"), host.tc_drops(),
                                  host.routes_into("x"), firewall.listing()), ({}, None, [], {}, None, []), text)
        with self.prints("[{}]"):
            self.assertEqual((host.routes_into("x"), host.addresses("x"), host.tc_drops()), ([], [], {}))
        with self.prints('{"nftables": [7, {"table": {}}]}'):
            self.assertEqual(firewall.listing(), [{"table": {}}])
        host.link.cache_clear()
        host.neighbour.cache_clear()

    def test_names_of_bytes(self):
        odd = b"d\xff".decode(errors="surrogateescape")
        self.assertIn(b"d\xff\0", netlink.encode("diag", {"ifname": odd}))
        done = subprocess.CompletedProcess
        with mock.patch.object(subprocess, "run", lambda words, errors, **_: done(words, 0, errors, "")):
            self.assertEqual(programs.run("ip"), "replace")

    def test_what_is_missing(self):
        self.enterContext(mock.patch.object(programs, "FAILED", {}))
        with mock.patch.multiple(programs, has_program=lambda name: name != "nft", printed=lambda *words: [{}]), \
                mock.patch.object(host, "may_administer", lambda: True):
            (note,) = wgwhy.could_not_look()
            self.assertIn("nft is not here, so rules of the firewall were not seen", note["what"])
            with contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertEqual(wgwhy.show([note], ["wg0"], False), 0)
            self.assertTrue(out.getvalue().endswith("No trouble with wg0.\n"), out.getvalue())
        with mock.patch.multiple(programs, has_program=lambda name: True, printed=lambda *words: {}), \
                mock.patch.object(host, "may_administer", lambda: False):
            (note,) = wgwhy.could_not_look()
            self.assertIn("ip is another program", note["what"])
            self.assertIn("it takes root", note["what"])
        with mock.patch.multiple(programs, has_program=lambda name: True, printed=lambda *words: [{}]), \
                mock.patch.object(host, "may_administer", lambda: True):
            self.assertEqual(list(wgwhy.could_not_look()), [])

    def test_a_slow_program(self):
        def late(*_, **__):
            raise subprocess.TimeoutExpired("nft", 10)
        with mock.patch.object(subprocess, "run", late), mock.patch.object(programs, "SLOW", set()):
            self.assertEqual(programs.run("nft"), "")
            self.assertEqual(programs.SLOW, {"nft"})

    def test_watch(self):
        client = mock.Mock(get=mock.Mock(side_effect=netlink.Gone(errno.ENODEV, "no such interface")))
        with mock.patch.object(netlink, "Client", lambda: client), mock.patch.object(watch, "follow"), \
                self.assertRaises(netlink.Gone):
            wgwhy.main(["--watch", "wg404"])

    def test_another_name(self):
        kernel = Kernel([peer()], {})
        entries = [{"ifname": "wg0", **kernel.dump()[0]}, *kernel.dump()[1:]]
        self.assertEqual(seen.Seen(mock.Mock(dump=lambda ifname: entries), "office").name, "wg0")


class Stock(unittest.TestCase):
    def test_allowed_ips(self):
        def ip(address, length):
            return netlink.attribute(0, netlink.attribute(2, address) + netlink.attribute(3, bytes([length])))

        def one(*prefixes):
            return netlink.attribute(0, netlink.attribute(1, KEY) + netlink.attribute(9, b"".join(prefixes)))

        first = netlink.attribute(8, one(ip(OUTSIDE, 32), ip(bytes(16), 0)))
        more = netlink.attribute(8, one(ip(bytes([10, 1, 0, 0]), 16)))
        client = mock.Mock(exchange_whole=lambda *words: [first, more])
        with mock.patch.object(netlink, "Client", lambda family: client):
            self.assertEqual(stock.allowed_ips("wg0"), {KEY: ["10.0.0.2/32", "::/0", "10.1.0.0/16"]})
        client.exchange_whole = mock.Mock(side_effect=netlink.Refused(errno.EPERM, "no"))
        with mock.patch.object(netlink, "Client", lambda family: client):
            self.assertEqual(stock.allowed_ips("wg0"), {})


class Sets(unittest.TestCase):
    def test_networks(self):
        known = Networks(map(network, ("10.0.0.0/8", "10.1.0.0/16", "192.168.7.4/32", "fd00::/8")))
        for text, covering, has_within in (("10.1.2.0/24", 16, False), ("10.1.0.0/16", 16, False), ("10.0.0.0/8", 8, True),
                                           ("10.2.0.0/16", 8, False), ("11.0.0.0/8", None, False), ("0.0.0.0/0", None, True),
                                           ("192.168.7.0/24", None, True), ("192.168.7.4/31", None, True), ("fd00:1::/32", 8, False), ("::/0", None, True)):
            self.assertEqual((known.covering(network(text)), known.has_within(network(text))), (covering, has_within), text)


class ManyPeers(Case):
    def test_time(self):
        count = 10_000
        peers = [peer(public_key=number.to_bytes(32, "big"), state="unused") for number in range(count)]
        prefixes = {host.key_text(one["public-key"]): [f"172.16.{number >> 8}.{number & 255}/32"]
                    for number, one in enumerate(peers)}
        routes = [network(text) for (text,) in prefixes.values()]
        self.host.update(allowed_ips=lambda name: prefixes, routes_into=lambda name: routes,
                         main_routes=lambda name: routes)
        for device, wanted in (("wg0", 0), ("eth0", count)):
            self.route = lambda address, mark, dev, device=device: {"dev": device}
            start = time.process_time()
            self.assertEqual(len(self.troubles(*peers)), wanted)
            self.assertLess(time.process_time() - start, 10)

    def test_prefixes_that_are_not_looked_at(self):
        self.allow("192.168.7.2/32", "192.168.7.3/32")
        with mock.patch.object(seen, "PREFIXES", 1):
            self.finds("could-not-look?", peer())


class Unprivileged(unittest.TestCase):
    def test_capabilities(self):
        for text, wanted in (("CapEff:\t0000000000001000\n", True), ("CapEff:\t0000000000000fff\n", False), ("", True)):
            with mock.patch.object(host, "read", lambda name, text=text: f"Name:\tx\n{text}"):
                self.assertEqual(host.may_administer(), wanted)



if __name__ == "__main__":
    unittest.main()
