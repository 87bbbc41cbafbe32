# SPDX-License-Identifier: GPL-2.0
"""Rules of nftables: whose they are, what they let pass, and what they are taken for."""

import ipaddress
import unittest

import firewall
from test_causes import Case, peer, rule, udp
from test_way import WAITS, chain, meta, uncounted

CALLED = {"state": "unused", "rx_packets": 0, "session_age": None}
SIX = {"address": bytes.fromhex("fd00" + "00" * 13 + "02"), "port": 51822}


def of(family, *entries):
    """Entries of a table of another family."""
    return [{kind: {**part, "family": family} for kind, part in entry.items()} for entry in entries]


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


if __name__ == "__main__":
    unittest.main()
