# SPDX-License-Identifier: GPL-2.0
"""Rules of nftables: whose they are, what they let pass, and what they are taken for."""

import ipaddress
import unittest

import firewall
from test_causes import Case, peer, rule, udp
from test_way import WAITS, address, chain, meta, uncounted
from test_wire import THEM, US
from wire import Message

CALLED = {"state": "unused", "rx_packets": 0, "session_age": None}
SIX = {"address": bytes.fromhex("fd00" + "00" * 13 + "02"), "port": 51822}


def of(family, *entries):
    """Entries of a table of another family."""
    return [{kind: {**part, "family": family} for kind, part in entry.items()} for entry in entries]


def unlike(match):
    return {"match": {**match["match"], "op": "!="}}


class Families(Case):
    def test_of_an_endpoint(self):
        for hook in "input", "output":
            for family, place, wanted in (("ip", None, "firewall"), ("ip6", None, "unanswered"),
                                          ("ip6", SIX, "firewall"), ("ip", SIX, "unanswered"),
                                          ("inet", SIX, "firewall"), ("bridge", None, "unanswered"),
                                          ("arp", None, "unanswered"), ("netdev", SIX, "unanswered")):
                waits = peer(**WAITS, **({"endpoint": place} if place else {}))
                for policy, rules in ("drop", []), ("accept", [uncounted()]):
                    self.rules = of(family, chain(hook, policy), *rules)
                    self.finds(wanted, waits)

    def test_dormant(self):
        table = {"table": {"family": "inet", "name": "t", "flags": ["dormant"]}}
        for flags, wanted in ((["dormant"], "unanswered"), ("dormant", "unanswered"), ([], "firewall")):
            table["table"]["flags"] = flags
            self.rules = [table, chain("output", "drop")]
            self.finds(wanted, peer(**WAITS))

    def test_matches_of_the_other_family(self):
        six = ipaddress.ip_address("fd00::2")
        for match, wanted in ((meta("nfproto", "ipv4"), False), (meta("nfproto", "ipv6"), True),
                              (meta("protocol", "ip"), False)):
            rules = [chain("output", "drop"), rule(match, verdict="accept")]
            found = list(firewall.closed(rules, firewall.Flow("output", 7, 8, ("new",), six)))
            self.assertEqual(not found, wanted, match)

    def test_of_the_port(self):
        both = ["10.0.0.1", "fd00::1"]
        for addresses, families, wanted in (
                (both, ["ip6"], ["port-blocked?"]), (both, ["ip"], ["port-blocked?"]),
                (both, ["ip", "ip6"], ["port-blocked"]), (both, ["inet"], ["port-blocked"]),
                (both, ["bridge"], []), (["10.0.0.1", "fe80::1"], ["ip6"], []),
                (["10.0.0.1"], ["ip"], ["port-blocked"]), ([], ["ip6"], ["port-blocked?"])):
            self.host["all_addresses"] = lambda addresses=addresses: [*addresses, "192.168.7.1"]
            self.rules = [one for family in families for one in of(family, chain("input", "drop"))]
            waits = peer(state="no-endpoint", endpoint=None, rx_packets=0)
            self.assertEqual(self.causes(waits), wanted, (addresses, families))
        self.host["all_addresses"] = lambda: both
        self.rules = of("ip6", chain("input", "drop"))
        self.says("what comes to the port 51821 by IPv6", peer(**CALLED))
        # It is known to be of that family.
        self.rules = of("ip6", chain("input", "accept"), rule(udp("dport", 51821), count=3))
        self.finds("port-blocked", peer(**CALLED))


class Unrelated(Case):
    """Counters that grow, and have nothing to do with the peer."""

    SENT = Message("initiation", "eth0", True, US, THEM, 51821, 51822)

    def counted(self, hook, *parts, before=1):
        base = chain(hook, "accept")
        self.rules = [base, rule(*parts, count=3)]
        return {"rules_before": [base, rule(*parts, count=before)]}

    def test_other_conditions(self):
        ours = udp("dport", 51821)
        for hook, parts, wanted in (
                ("input", [ours], "firewall"), ("forward", [ours], "unanswered"),
                ("input", [ours, address("saddr", "203.0.113.9")], "unanswered"),
                ("input", [ours, address("saddr", "10.0.0.2")], "firewall"),
                ("input", [ours, address("saddr", {"range": ["10.0.0.1", "10.0.0.9"]})], "firewall"),
                ("input", [ours, address("saddr", {"range": ["10.0.1.1", "10.0.1.9"]})], "unanswered"),
                ("input", [ours, address("saddr", "@bad")], "firewall"),
                ("input", [ours, unlike(address("saddr", "10.0.0.2"))], "unanswered"),
                ("input", [ours, unlike(address("saddr", "10.0.0.9"))], "firewall"),
                ("output", [ours], "unanswered"), ("output", [udp("dport", 51822)], "firewall"),
                ("output", [udp("dport", 51822), meta("oifname", "eth7")], "unanswered"),
                ("output", [udp("dport", 51822), address("daddr", "10.0.0.9")], "unanswered")):
            found = self.causes(peer(**WAITS), **self.counted(hook, *parts))
            self.assertEqual([one for one in found if one != "port-blocked"], [wanted], (hook, parts))
        more = self.counted("input", ours)
        for rules in self.rules, more["rules_before"]:
            rules[:] = of("ip6", *rules)
        self.finds("unanswered", peer(**WAITS), **more)

    def test_chains_that_others_lead_to(self):
        for hook, wanted in ("forward", "unanswered"), ("input", "firewall"):
            entries = []
            for count in 1, 3:
                counted = rule(udp("dport", 51821), count=count)
                counted["rule"]["chain"] = "d"
                leads = uncounted(verdict="jump")
                leads["rule"]["expr"][-1]["jump"] = {"target": "d"}
                entries.append([chain(hook, "accept"), leads, counted])
            self.rules = entries[1]
            self.finds(wanted, peer(**WAITS), rules_before=entries[0])
        self.assertEqual(firewall.hooks_of(entries[1], "inet t d"), {"input"})

    def test_what_was_seen(self):
        now = peer(**{**WAITS, "handshakes_begun": 6, "initiation_age": 900})
        before = [peer(**{**WAITS, "handshakes_begun": 5})]
        answer = Message("response", "eth0", False, THEM, US, 51822, 51821)
        grown = self.counted("input", udp("dport", 51821), address("saddr", "@bad"))
        self.messages = [self.SENT]
        self.says("(a rule in inet t c has dropped 3)", now, before=before, **grown)
        for messages in [], [self.SENT, answer]:
            self.messages = messages
            self.finds("firewall", now, before=before, **grown)
        # Nothing was to leave.
        self.messages = []
        self.finds("unanswered", now, before=[now], **grown)

    def test_tc(self):
        now = peer(**{**WAITS, "handshakes_begun": 6, "initiation_age": 900})
        before = [peer(**{**WAITS, "handshakes_begun": 5})]

        def grows():
            counts = iter((1, 3))
            self.host["tc_drops"] = lambda: {("eth0", "ingress"): next(counts)}
        for messages, wanted in ([self.SENT], "unanswered"), ([], "tc-drops"):
            self.messages = messages
            grows()
            self.finds(wanted, now, before=before)
        self.messages = [self.SENT]
        grows()
        self.says("(tc has dropped 3 on eth0, ingress)", now, before=before)
        # Of data it is not known which is whose.
        for sent, wanted in (5, "tc-drops"), (9, "silent"):
            grows()
            self.finds(wanted, peer(awaiting=True, tx_packets=sent), before=[peer(awaiting=True)])


class Opaque(Case):
    """What opens only some of it."""

    XT = {"xt": {"type": "match", "name": "conntrack"}}
    STATES = {"vmap": {"key": {"ct": {"key": "state"}},
                       "data": {"set": [["established", {"accept": None}], ["invalid", {"drop": None}]]}}}

    def forwards(self, *rules):
        counts = iter((0, 3))
        self.host["unsent"] = lambda: next(counts)
        self.settings(forwarding=1)
        self.rules = of("ip", chain("forward", "drop"), *rules)
        return self.causes(peer(rx_packets=9), before=[peer()])

    def test_forwarding(self):
        docker = meta("oifname", "docker0"), self.XT
        for parts, is_closed in ((docker, True), ([meta("oifname", "docker0")], True), ([meta("oifname", "wg0")], False),
                                 ([meta("oifname", "eth0")], False), ([meta("iifname", "wg0")], False),
                                 ([meta("iifname", "wg0"), meta("oifname", "eth1")], False), ([self.XT], True),
                                 ([{"xt": {"type": "match", "name": "comment"}}], False),
                                 (["xt match conntrack"], True), ([{"xt": None}], False), ([], False)):
            self.assertEqual(self.forwards(rule(*parts, verdict="accept")), ["forward-blocked?"] * is_closed, parts)
        self.assertEqual(self.forwards(rule(self.STATES, verdict="continue")), ["forward-blocked?"])

    def test_of_the_port(self):
        waits = peer(state="no-endpoint", endpoint=None, rx_packets=0)
        for parts, verdict, wanted in (([self.XT], "accept", ["port-blocked"]), ([self.STATES], "continue", ["port-blocked"]),
                                       ([{"xt": {"type": "match", "name": "recent"}}], "accept", [])):
            self.rules = [chain("input", "drop"), rule(*parts, verdict=verdict)]
            self.assertEqual(self.causes(waits), wanted, parts)
            # Answers pass.
            self.finds("unanswered", peer(**WAITS))


class Strangers(Case):
    """Handshakes that come to the port and not to the interface."""

    def test_whose(self):
        self.messages = [Message("initiation", "eth0", False, THEM, US, 7, 51821)]
        called = peer(**CALLED)
        self.finds("port-blocked", called)
        self.says("10.0.0.2", called)
        self.says("a NAT rule leads them elsewhere", called)
        for source, wanted in (THEM, ["port-blocked"]), (ipaddress.ip_address("203.0.113.9"), ["port-blocked?"]):
            self.messages = [self.messages[0]._replace(source=source)]
            self.assertEqual(self.causes(peer()), wanted)
            self.rules = [chain("input", "accept"), uncounted(udp("dport", 51821))]
            self.assertEqual(self.causes(peer()), wanted)
            self.rules = []


if __name__ == "__main__":
    unittest.main()
