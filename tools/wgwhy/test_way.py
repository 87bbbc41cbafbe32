# SPDX-License-Identifier: GPL-2.0
"""Causes on this host's way to an endpoint and back; what tc and the firewall drop without a
count; handshakes that are answered where data is not."""

import ipaddress
import json
import unittest
from unittest import mock

import host
import programs
from test_causes import CHAIN, Case, peer, rule, udp
from test_looks import Looks

WAITS = {"state": "waiting", "attempt": 5}


def chain(hook, policy):
    return {"chain": {**CHAIN["chain"], "hook": hook, "policy": policy}}


def meta(key, right, kind="meta"):
    return {"match": {"op": "==", "left": {kind: {"key": key}}, "right": right}}


def address(field, right):
    return {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": field}}, "right": right}}


def uncounted(*parts, verdict="drop"):
    """A rule without a counter."""
    made = rule(*parts, verdict=verdict)
    del made["rule"]["expr"][-2]
    return made


class Way(Case):
    def waits(self, cause, **more):
        self.finds(cause, peer(**WAITS, **more))

    def test_link_down(self):
        self.host["link"] = lambda name: {"mtu": 1420 if name == "wg0" else 1500, "flags": ["UP"] + ["NO-CARRIER"] * (name == "eth0")}
        self.waits("link-down")
        # Nobody misses anything.
        self.assertEqual(self.causes(peer()), [])

    def test_next_hop(self):
        asked = []
        self.host["neighbour"] = lambda *words: asked.append(words) or ["FAILED"]
        self.waits("next-hop")
        self.assertEqual(self.causes(peer()), [])
        for more, hop in (({}, "10.0.0.2"), ({"gateway": "10.0.0.254"}, "10.0.0.254"),
                          ({"via": {"family": "inet6", "host": "fe80::1"}}, "fe80::1")):
            self.route = lambda where, mark, device, more=more: \
                {"dev": "wg0" if where.startswith("192") else "eth0", **more}
            self.waits("next-hop")
            self.assertEqual(asked[-1], (hop, "eth0"))
        self.host["neighbour"] = lambda *words: ["STALE"]
        self.waits("unanswered")

    def test_reverse_path_outside(self):
        self.route = lambda where, mark, device: {"dev": "eth0" if mark and not where.startswith("192") else "wg0"}
        self.host["reverse_path"] = lambda name: name == "eth0"
        marked = peer(**WAITS)
        self.finds("reverse-path-outside", marked, fwmark=7)
        self.settings(src_valid_mark=1)
        self.finds("unanswered", marked, fwmark=7)

    def test_tc_drops(self):
        for before, now, wanted in ((1, 3, "tc-drops"), (3, 3, "unanswered")):
            counts = iter((before, now))
            self.host["tc_drops"] = lambda counts=counts: {("eth0", "clsact"): next(counts)}
            self.waits(wanted)
        counts = iter((1, 3))
        self.host["tc_drops"] = lambda: {("eth1", "clsact"): next(counts)}
        self.waits("unanswered")
        counts = iter((1, 3))
        self.host["tc_drops"] = lambda: {("eth0", "netem"): next(counts)}
        self.assertEqual(self.causes(peer(awaiting=True, rx_packets=9), before=[peer(awaiting=True)]), [])

    def test_tc_drops_inside(self):
        for after, wanted in ({"tx_packets": 3}, ["tc-drops"]), ({"tx_packets": 4}, []):
            counts = iter((1, 3))
            self.host["tc_drops"] = lambda counts=counts: {("wg0", "netem"): next(counts)}
            self.assertEqual(self.causes(peer(**after), before=[peer()]), wanted)

    def test_xdp(self):
        self.host["link"] = lambda name: {"mtu": 1420 if name == "wg0" else 1500, **({"xdp": {}} if name == "eth0" else {})}
        self.says("a program of XDP on eth0", peer(**WAITS))

    def test_ipv6_off(self):
        self.host["ipv6_is_off"] = lambda name: True
        self.allow("192.168.7.2/32", "fd77::2/128")
        self.route = lambda where, mark, device: \
            "network is unreachable" if ":" in where else {"dev": "wg0" if where.startswith("192") else "eth0"}
        self.says("disable_ipv6=0", peer())
        self.host["has_ipv6"] = lambda: False
        self.says("ipv6.disable=1", peer())
        self.allow("192.168.7.2/32", "::/0")
        self.assertEqual(self.causes(peer()), [])

    def test_a_table_that_no_rule_leads_to(self):
        self.route = lambda where, mark, device: {"dev": "eth0"}
        self.host["routes_into"] = lambda name: [ipaddress.ip_network("192.168.7.0/24")]
        self.says("ip rule add to 192.168.7.2/32", peer())
        self.host["routes_into"] = lambda name: [ipaddress.ip_network("10.0.0.0/24")]
        self.says("ip route add 192.168.7.2/32", peer())


class Uncounted(Case):
    """Rules without a counter, and policies."""

    def test_rules(self):
        for hook, parts, is_found in (
                ("output", [udp("dport", 51822)], True), ("output", [udp("sport", 51821)], True),
                ("output", [udp("dport", 51821)], False), ("input", [udp("dport", 51821)], True),
                ("input", [udp("sport", 51822)], True), ("forward", [udp("sport", 51822)], False),
                ("output", [meta("l4proto", "udp")], True), ("output", [meta("l4proto", "tcp")], False),
                ("output", [address("daddr", "10.0.0.2")], True), ("output", [address("saddr", "10.0.0.2")], False),
                ("input", [address("saddr", {"prefix": {"addr": "10.0.0.0", "len": 8}})], True),
                ("output", [udp("dport", 51822), meta("mark", 7)], False), ("output", [], True),
                ("output", [meta("oifname", "eth0")], True), ("output", [meta("oifname", "wg0")], False)):
            self.rules = [chain(hook, "accept"), uncounted(*parts)]
            self.assertEqual(self.causes(peer(**WAITS)), ["firewall" if is_found else "unanswered"], (hook, parts))
        # What is accepted before, or may be.
        for before in rule(udp("dport", 51822), verdict="accept"), rule(verdict="jump"):
            self.rules = [chain("output", "accept"), before, uncounted(udp("dport", 51822))]
            self.finds("unanswered", peer(**WAITS))
        self.assertEqual(self.causes(peer()), [])

    def test_policies(self):
        established = meta("state", {"set": ["established", "related"]}, "ct")
        for hook, parts, is_found in (
                ("input", [established], False), ("output", [established], True), ("input", [udp("dport", 53)], True),
                ("input", [udp("dport", 51821)], False), ("output", [udp("dport", 51822)], False),
                ("output", [meta("oifname", "lo")], True), ("output", [meta("oifname", "wg0")], True),
                ("output", [meta("oifname", "eth*")], False), ("output", [meta("oifname", "@devices")], False),
                ("forward", [established], False)):
            self.rules = [chain(hook, "drop"), rule(*parts, verdict="accept")]
            self.assertEqual(self.causes(peer(**WAITS)), ["firewall" if is_found else "unanswered"], (hook, parts))

    def test_forwarding(self):
        self.rules = [chain("forward", "drop"), rule(meta("iifname", "docker0"), verdict="accept")]
        for more, unsent, wanted in (({"rx_packets": 9}, (0, 3), ["forward-blocked?"]), ({"rx_packets": 9}, (3, 3), []),
                                     ({}, (0, 3), [])):
            counts = iter(unsent)
            self.host["unsent"] = lambda counts=counts: next(counts)
            self.settings(forwarding=1)
            self.assertEqual(self.causes(peer(**more), before=[peer()]), wanted)
        for right in "wg0", "wg*":
            self.rules[1] = rule(meta("iifname", right), verdict="accept")
            counts = iter((0, 3))
            self.host["unsent"] = lambda counts=counts: next(counts)
            self.assertEqual(self.causes(peer(rx_packets=9), before=[peer()]), [])


class Answers(Looks):
    """How long it looks where handshakes are answered."""

    def initiator(self, **changes):
        return peer(**{"session_role": "initiator", "awaiting": True, **changes})

    def test_handshakes_only(self):
        packets = [self.initiator(tx_packets=count) for count in range(5)]
        packets.append(self.initiator(tx_packets=9, rx_packets=4, handshakes_completed=2, awaiting=None))
        packets += [self.initiator(tx_packets=10 + count, rx_packets=4, handshakes_completed=2) for count in range(30)]
        seconds, found = self.seconds(*packets)
        self.assertEqual(seconds, 6 + 12)
        self.assertTrue(found.still_awaiting(found.peers[0]))
        self.assertEqual(list(found.since), [found.key(found.peers[0])])
        # Data that comes ends it, as does an end of what is sent.
        packets[12] = self.initiator(tx_packets=40, rx_packets=5, handshakes_completed=2)
        self.assertEqual(self.seconds(*packets)[0], 12)
        packets[6:] = [self.initiator(tx_packets=9, rx_packets=4, handshakes_completed=2, awaiting=None)] * 30
        self.assertEqual(self.seconds(*packets)[0], 5 + 3)

    def test_the_first_initiation(self):
        waits = [peer(state="waiting", attempt=1)] * 4
        self.assertEqual(self.seconds(*waits)[0], 6)
        self.assertEqual(self.seconds(*waits, peer())[0], 4)
        self.assertEqual(self.seconds(*waits, peer(state="waiting", attempt=2))[0], 6)

    def test_drops_of_tc(self):
        for grows, wanted in ((3, 3), (90, 6)):
            seconds, _ = self.seconds(peer(**WAITS), tc=lambda turn, grows=grows: {("eth0", "netem"): 5 + (turn >= grows)})
            self.assertEqual(seconds, wanted)


class Programs(unittest.TestCase):
    """What they print."""

    def prints(self, *values):
        texts = iter(values)
        return mock.patch.object(programs, "run", lambda *words: next(texts))

    def test_neighbour(self):
        for text, wanted in ('[{"dst":"10.0.0.9","state":["FAILED"]}]', ["FAILED"]), ("[]", []), ("", []):
            host.neighbour.cache_clear()
            with self.prints(text):
                self.assertEqual(host.neighbour("10.0.0.9", "eth0"), wanted)
        host.neighbour.cache_clear()

    def test_tc(self):
        found = [{"kind": "noqueue", "dev": "lo", "drops": 4}, {"kind": "clsact", "dev": "eth0", "drops": 3},
                 {"kind": "netem", "dev": "eth1", "drops": 0}]
        with self.prints(json.dumps(found)):
            self.assertEqual(host.tc_drops(), {("eth0", "clsact"): 3})
        with self.prints(""):
            self.assertEqual(host.tc_drops(), {})

    def test_ruled_tables(self):
        rules = [{"priority": 0, "src": "all", "table": "local"}, {"priority": 7, "fwmark": "0x4d", "table": "77"}]
        with self.prints(json.dumps(rules), json.dumps(rules[:1])):
            self.assertEqual(host.ruled_tables(), {"local", "77"})
        for texts in ([json.dumps([{"l3mdev": None}]), "[]"], ["", ""]):
            with self.prints(*texts):
                self.assertIsNone(host.ruled_tables())

    def test_ruled_routes(self):
        rules = json.dumps([{"table": "main"}, {"table": "77"}])
        routes = json.dumps([{"dst": "10.1.0.0/24", "table": "77"}, {"dst": "10.2.0.0/24", "table": "200"},
                             {"dst": "10.3.0.0/24"}])
        with self.prints(rules, rules, routes, "[]"):
            self.assertEqual([str(network) for network in host.ruled_routes("wg0")], ["10.1.0.0/24"])
        with self.prints(routes, "[]"):
            self.assertEqual(len(host.routes_into("wg0")), 3)

    def test_unsent(self):
        texts = {"/proc/net/snmp": "Ip: ForwDatagrams OutRequests OutTransmits\nIp: 12 5 9\n",
                 "/proc/net/snmp6": "Ip6OutForwDatagrams   \t3\nIp6OutRequests 4\nIp6OutTransmits 6\n"}
        with mock.patch.object(host, "read", lambda name: texts.get(name, "")):
            self.assertEqual(host.unsent(), 12 + 5 - 9 + 3 + 4 - 6)
            texts["/proc/net/snmp"] = "Ip: ForwDatagrams OutRequests\nIp: 12 5\n"
            self.assertEqual(host.unsent(), 0)


if __name__ == "__main__":
    unittest.main()
