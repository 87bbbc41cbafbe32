# SPDX-License-Identifier: GPL-2.0
"""Each cause is found in what the kernel and the host would show, and nothing in a tunnel that
works."""

import importlib.util
import ipaddress
import pathlib
import socket
import unittest
from unittest import mock

import causes
import host
import netlink
import seen

# A module of this name is the test program itself.
SPEC = importlib.util.spec_from_file_location("wgwhy", pathlib.Path(__file__).with_name("__main__.py"))
wgwhy = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(wgwhy)

KEY, OURS, OTHER = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
OUTSIDE, INSIDE = bytes([10, 0, 0, 2]), bytes([192, 168, 7, 2])


def refusals(*reasons, age=1000, count=4):
    return [{"reason": reason, "count": count, "age": age} for reason in reasons]


def peer(**changes):
    """A peer with a session, with some things changed; None takes one away."""
    facts = {"public-key": KEY, "state": "session", "session-age": 5000, "rx-packets": 3, "tx-packets": 3,
             "rx-bytes": 300, "tx-bytes": 300, "handshakes-begun": 1, "handshakes-completed": 1,
             "endpoint": {"address": OUTSIDE, "port": 51822}, "staged": 0, "keepalive": 0}
    facts.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {name: value for name, value in facts.items() if value is not None}


def udp(field, right):
    """A match of a rule of nftables."""
    return {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": field}}, "right": right}}


def rule(*parts, count=0, verdict="drop"):
    return {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 4,
                     "expr": [*parts, {"counter": {"packets": count, "bytes": 0}}, {verdict: None}]}}


CHAIN = {"chain": {"family": "inet", "table": "t", "name": "c", "hook": "input", "policy": "drop"}}


class Kernel:
    """Stands for the family."""

    def __init__(self, peers, interface):
        self.peers = peers
        self.interface = {"up": True, "public-key": OURS, "listen-port": 51821, "fwmark": 0,
                          "peers": len(peers)}
        self.interface.update({name.replace("_", "-"): value for name, value in interface.items()})
        self.interface = {name: value for name, value in self.interface.items() if value is not None}
        self.owners = {}

    def dump(self, **_):
        return [{"interface": self.interface, "generation": 2}, *({"peer": one} for one in self.peers)]

    def get(self, owner_of, **_):
        if owner_of not in self.owners:
            raise netlink.Refused(2, "nobody")
        return {"peer": self.owners[owner_of]}


class Case(unittest.TestCase):
    """Patches what the host shows; a test changes that."""

    def setUp(self):
        self.route = lambda address, mark, device: {"dev": "wg0" if address.startswith("192") else "eth0"}
        # What passed the devices; None where that is not seen.
        self.rules, self.messages = [], None
        # In how many looks a counter of the stack grew; whether all that passed was seen.
        self.times, self.is_whole = 2, True
        self.host = {
            "link": lambda name: {"mtu": 1420 if name == "wg0" else 1500},
            "addresses": lambda name: ["192.168.7.1"],
            "allowed_ips": lambda name: {host.key_text(KEY): ["192.168.7.2/32"]},
            "of_wg": lambda name, what: {},
            "routes": lambda asked: [self.way(key) for key in asked],
            "routes_into": lambda name: [ipaddress.ip_network("192.168.7.0/24")],
            "ruled_routes": lambda name: [],
            "main_routes": lambda name: [],
            "reverse_path": lambda name: False,
            "bad_addresses": lambda name: (0, 0),
            "has_socket": lambda port: True,
            "listeners": lambda port: [],
            "sysctl": lambda name: 0,
            "is_clock_behind": lambda: False,
            "neighbour": lambda address, device: [],
            "tc_drops": lambda: {},
            "unsent": lambda: 0,
            "undelivered": lambda name: 0,
            "counted": lambda: {},
            "all_addresses": lambda: ["10.0.0.1", "192.168.7.1"],
            "is_strict": lambda name: False,
            "is_clock_unsynchronized": lambda: False,
            "backing_off": lambda: [],
            "has_ipsec": lambda: False,
            "opening": lambda: [],
            "has_ipv6": lambda: True,
            "ipv6_is_off": lambda name: False,
            "lowers": lambda name: [],
            "bound_to": lambda name: [], "vrf_of": lambda name: "",
            "default_devices": lambda: ["eth0"],
            "own_networks": lambda name: [ipaddress.ip_network("192.168.7.0/24")],
            "has_source_rules": lambda: False,
            "tracked": lambda port: {},
        }

        # The entry of the table by which the route to an address goes.
        self.entry = lambda address: {}

    def way(self, asked):
        return self.entry(asked.address) if asked.is_entry else self.route(*asked[:3])

    def allow(self, *prefixes):
        self.host["allowed_ips"] = lambda name: {host.key_text(KEY): list(prefixes)}

    def settings(self, **values):
        self.host["sysctl"] = lambda name: values.get(name.rsplit("/", maxsplit=1)[-1], 0)

    def troubles(self, *peers, before=None, owners=None, rules_before=None, **interface):
        kernel = Kernel(list(peers), interface)
        kernel.owners = owners or {}
        with mock.patch.multiple(host, **self.host):
            earlier = seen.Seen(Kernel(before or list(peers), interface), "wg0",
                                self.rules if rules_before is None else rules_before)
            later = seen.Seen(kernel, "wg0", self.rules, earlier)
            later.messages = later.settled = self.messages or []
            later.is_wire_open = self.messages is not None
            later.is_wire_whole = self.is_whole
            later.lasting = dict.fromkeys(later.counted, self.times)
            found = later.troubles()
        for trouble in found:
            self.assertTrue(wgwhy.text(trouble).endswith("."))
        return found

    def causes(self, *peers, **more):
        """The causes, those that are only notes with a mark."""
        return [trouble["cause"] + "?" * ("note" in trouble) for trouble in self.troubles(*peers, **more)]

    def finds(self, cause, *peers, **more):
        self.assertEqual(self.causes(*peers, **more), [cause])

    def says(self, words, *peers, **more):
        """There is one trouble, and its sentence or what to try has these words."""
        (trouble,) = self.troubles(*peers, **more)
        self.assertIn(words, wgwhy.text(trouble))


class Healthy(Case):
    def fine(self, *peers, **more):
        self.assertEqual(self.causes(*peers, **more), [], peers)

    def test_nothing_is_wrong(self):
        for one in (peer(), peer(state="unused"), peer(state="expired"), peer(state="reset"),
                    peer(state="waiting", attempt=1), peer(keepalive=25), peer(awaiting=True),
                    peer(attempt=1), peer(state="answered"),
                    peer(refusal=refusals("rx-inner-bad-source", "tx-no-route", age=400_000))):
            self.fine(one)

    def test_what_was_before_the_session(self):
        for reason in ("rx-data-bad", "rx-inner-bad-source", "rx-inner-bad-header", "rx-initiation-replayed",
                       "tx-no-route", "tx-no-socket", "no-memory"):
            self.fine(peer(refusal=refusals(reason, age=6000), refused_source=INSIDE))

    def test_little_of_much(self):
        for reason in ("rx-data-bad", "rx-data-replayed"):
            self.fine(peer(refusal=refusals(reason), rx_packets=1000))

    def test_one_replayed_initiation(self):
        self.fine(peer(refusal=refusals("rx-initiation-replayed", count=1)))
        self.fine(peer(refusal=refusals("rx-initiation-replayed", age=20_000), session_age=60_000))

    def test_what_was_repaired(self):
        one = peer(refusal=refusals("rx-inner-bad-source"), refused_source=INSIDE)
        self.fine(one, owners={INSIDE: one})
        self.fine(peer(), refusal=refusals("tx-no-peer"), refused_destination=INSIDE, owners={INSIDE: one})
        self.fine(peer(), refusal=refusals("rx-initiation-unknown-peer"), unknown_initiator=KEY)

    def test_multicast(self):
        for address in bytes([224, 0, 0, 22]), b"\xff\2" + bytes(13) + b"\x16", b"\xff" * 4:
            self.fine(peer(), refusal=refusals("tx-no-peer"), refused_destination=address)

    def test_same_network_on_both_sides(self):
        self.allow("192.168.7.0/24")
        self.route = lambda address, mark, device: \
            {"dev": "lo", "type": "local"} if address == "192.168.7.1" else \
            {"dev": "wg0" if address.startswith("192") else "eth0"}
        self.host["is_strict"] = lambda name: True
        self.fine(peer())
        self.fine(peer(state="unused"))
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.host["is_strict"] = lambda name: False
        self.says("192.168.7.2", peer())

    def test_an_address_of_ours_elsewhere(self):
        self.allow("10.1.0.0/24")
        self.route = lambda address, mark, device: \
            {"dev": "lo", "type": "local"} if address == "10.1.0.1" else {"dev": "eth0"}
        self.fine(peer())

    def test_default_prefixes(self):
        self.allow("0.0.0.0/0", "::/0")
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.host["is_strict"] = lambda name: True
        self.fine(peer())
        self.fine(peer(state="unused"))

    def test_routes_in_a_wide_prefix(self):
        self.allow("10.0.0.0/8")
        self.host["routes_into"] = lambda name: [ipaddress.ip_network("10.3.0.0/16")]
        self.fine(peer())

    def test_without_address(self):
        self.host["addresses"] = lambda name: []
        self.fine(peer())

    def test_without_ip(self):
        self.host.update(link=lambda name: {}, addresses=lambda name: None, routes_into=lambda name: None,
                         routes=lambda asked: [{} for _ in asked], allowed_ips=lambda name: {})
        self.fine(peer())
        self.fine(peer(state="unused"))

    def test_sockets_elsewhere(self):
        self.host["has_socket"] = lambda port: False
        self.route = lambda address, mark, device: \
            {"dev": "wg0"} if address.startswith("192") else "network is unreachable"
        self.fine(peer())

    def test_answered_for_a_moment(self):
        self.fine(peer(state="answered", handshakes_answered=70), before=[peer()])


class Interface(Case):
    def test_down(self):
        self.finds("interface-down", peer(), up=None)

    def test_port_taken(self):
        self.host["listeners"] = lambda port: ['UNCONN users:(("socat",pid=1,fd=5))']
        self.finds("port-taken", peer(), up=None)
        self.finds("port-taken", peer(state="waiting", attempt=5, refusal=refusals("tx-no-socket")))
        self.assertEqual(self.causes(peer()), [])
        self.host["listeners"] = lambda port: ["UNCONN 0 0 0.0.0.0:51821"]
        self.says("another interface has its port", peer(), up=None)

    def test_sockets_gone(self):
        self.host["link"] = lambda name: {"mtu": 1420, "flags": ["NO-CARRIER", "UP"]}
        self.host["has_socket"] = lambda port: False
        self.finds("sockets-gone", peer(state="waiting", attempt=5, refusal=refusals("tx-no-socket")))

    def test_no_private_key(self):
        self.finds("no-private-key", peer(state="no-private-key"), public_key=None)

    def test_no_peers(self):
        self.finds("no-peers")

    def test_no_address(self):
        self.host["addresses"] = lambda name: []
        self.host["routes_into"] = lambda name: []
        self.finds("no-address", peer())

    def test_no_peer_for_destination(self):
        self.finds("no-peer-for-destination", peer(), refusal=refusals("tx-no-peer"),
                   refused_destination=bytes([1, 1, 1, 1]))

    def test_unknown_initiator(self):
        facts = {"refusal": refusals("rx-initiation-unknown-peer"), "unknown_initiator": OTHER,
                 "refused_remote": {"address": OUTSIDE, "port": 7}}
        self.says("10.0.0.2:7 begins", peer(), **facts)
        facts["unknown_initiator_remote"] = {"address": INSIDE, "port": 8}
        self.says("192.168.7.2:8 begins", peer(), **facts)

    def test_our_key_unknown(self):
        facts = {"refusal": refusals("rx-bad-mac1", age=12_000)}
        self.finds("our-key-unknown?", peer(), **facts)
        facts["refused_remote"] = {"address": OUTSIDE, "port": 7}
        self.finds("our-key-unknown", peer(state="expired", session_age=None), **facts)
        self.says("the last 12 s ago", peer(session_age=60_000), **facts)

    def test_under_load(self):
        self.finds("under-load", peer(), under_load=True)

    def test_lost_session(self):
        facts = {"refusal": refusals("rx-data-unknown-index")}
        self.finds("lost-session?", peer(), **facts)
        self.finds("lost-session", peer(state="waiting", attempt=1), **facts)

    def test_not_wireguard(self):
        facts = {"refusal": refusals("rx-bad-type")}
        self.finds("not-wireguard?", peer(), **facts)
        self.assertEqual(self.causes(peer(attempt=3), **facts), ["not-wireguard", "unanswered"])

    def test_conntrack_full(self):
        self.settings(nf_conntrack_count=9, nf_conntrack_max=9)
        self.finds("conntrack-full", peer(state="waiting", attempt=5))
        self.settings(nf_conntrack_count=8, nf_conntrack_max=9)
        self.assertEqual(self.causes(peer()), [])

    def test_firewall_inside(self):
        inside = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "wg0"}}]
        base = {"chain": {**CHAIN["chain"], "policy": "accept"}}
        self.rules = [base, rule(*inside, count=3)]
        before = [base, rule(*inside, count=2)]
        self.finds("firewall-inside", peer(rx_packets=5), before=[peer()], rules_before=before)
        self.finds("firewall-inside?", peer(rx_packets=6), before=[peer()], rules_before=before)
        self.finds("firewall-inside?", peer(tx_packets=4), before=[peer()], rules_before=before)
        base["chain"]["hook"] = "output"
        self.finds("firewall-inside", peer(), rules_before=before)
        base["chain"]["hook"] = "forward"
        self.finds("firewall-inside?", peer(rx_packets=5), before=[peer()], rules_before=before)
        self.assertEqual(self.causes(peer()), [])

    def test_port_blocked(self):
        waits = peer(state="no-endpoint", endpoint=None, rx_packets=0)
        self.rules = [CHAIN, rule(udp("dport", 22), verdict="accept")]
        self.finds("port-blocked", waits)
        self.assertEqual(self.causes(peer()), [])
        self.rules.append(rule(udp("dport", {"set": [22, {"range": [51820, 51830]}]}), verdict="accept"))
        self.assertEqual(self.causes(waits), [])

    def test_mtu_below_ipv6(self):
        self.host["link"] = lambda name: {"mtu": 1279 if name == "wg0" else 1500}
        self.assertEqual(self.causes(peer()), [])
        self.allow("192.168.7.2/32", "fd77::2/128")
        self.route = lambda address, mark, device: {"dev": "eth0" if address.startswith("10") else "wg0"}
        self.finds("mtu-below-ipv6", peer())

    def test_refused(self):
        self.finds("refused?", peer(), refusal=refusals("rx-initiation-bad-static"))
        self.finds("refused", peer(state="waiting", attempt=1), refusal=refusals("rx-initiation-bad-static"))


class Peer(Case):
    def test_no_endpoint(self):
        self.finds("no-endpoint?", peer(state="no-endpoint", endpoint=None, keepalive=25))
        self.finds("no-endpoint", peer(state="no-endpoint", endpoint=None, refusal=refusals("tx-no-endpoint")))

    def test_endpoint_in_tunnel(self):
        self.route = lambda address, mark, device: {"dev": "wg0"}
        self.finds("endpoint-in-tunnel", peer(state="waiting", attempt=5))

    def test_endpoint_is_us(self):
        self.route = lambda address, mark, device: {"dev": "wg0"} if address.startswith("192") \
            else {"dev": "lo", "type": "local"}
        ours = peer(state="waiting", attempt=5, endpoint={"address": OUTSIDE, "port": 51821})
        self.finds("endpoint-is-us", ours, refusal=refusals("rx-bad-mac1"))

    def test_no_route_outside(self):
        self.route = lambda address, mark, device: \
            {"dev": "wg0"} if address.startswith("192") else "network is unreachable"
        self.finds("no-route-outside", peer(state="waiting", attempt=5, refusal=refusals("tx-no-route")))
        self.finds("no-socket", peer(state="waiting", attempt=5, refusal=refusals("tx-no-socket")))

    def test_route_over_a_link(self):
        asked = []
        self.route = lambda *words: asked.append(words) or {"dev": "wg0"}
        link_local = {"address": b"\xfe\x80" + bytes(13) + b"\1", "port": 7, "scope": 1}
        self.causes(peer(endpoint=link_local), fwmark=9)
        self.assertIn(("fe80::1", 9, socket.if_indextoname(1)), asked)

    def test_no_socket(self):
        self.finds("no-socket", peer(state="waiting", attempt=5, refusal=refusals("tx-no-socket")))

    def test_preshared_key(self):
        self.finds("preshared-key", peer(state="waiting", attempt=5, session_age=None,
                                         refusal=refusals("rx-response-bad")))

    def test_clock(self):
        self.finds("clock", peer(refusal=refusals("rx-initiation-replayed", count=2)))

    def test_our_clock(self):
        self.host["is_clock_behind"] = lambda: True
        self.finds("our-clock", peer(state="waiting", attempt=5))

    def test_two_hosts(self):
        self.finds("two-hosts-one-key", peer(recent_moves=4, endpoint_source="initiation"))
        self.finds("two-hosts-one-key", peer(recent_moves=4, endpoint_source="data", handshakes_answered=4))
        # One that roams keeps its session.
        self.finds("two-hosts-one-key?", peer(recent_moves=4, endpoint_source="data"))
        self.finds("two-hosts-one-key?", peer(recent_moves=4, endpoint_source="data", handshakes_answered=4,
                                              session_age=60_000))

    def test_firewall(self):
        for right in (51821, 51822, {"range": [51000, 52000]}, {"set": [1, 51822]}):
            self.rules = [rule(udp("dport", right), count=3)]
            self.finds("firewall", peer(state="waiting", attempt=5), rules_before=[rule(udp("dport", right), count=1)])
        # What it counted before is no proof.
        self.says("(a rule in inet t c has dropped 3)", peer(state="waiting", attempt=5))
        self.rules = [rule(udp("dport", 53), count=3)]
        self.finds("unanswered", peer(state="waiting", attempt=5), rules_before=[rule(udp("dport", 53), count=1)])

    def test_unanswered(self):
        self.says("5 handshakes begun in the last 25 s towards 10.0.0.2:51822, nothing came back:",
                  peer(state="waiting", attempt=5, attempts_age=25_000))
        self.finds("unanswered", peer(state="given-up", initiation_age=100_000))
        self.says("20 handshakes begun towards 10.0.0.2:51822, nothing came back, given up 2 min ago:",
                  peer(state="given-up", attempt=20, attempts_age=200_000, initiation_age=120_000))
        self.says(host.key_text(KEY), peer(state="waiting", attempt=5))
        # An older module says nothing of it in a session.
        self.finds("unanswered", peer(attempt=2, awaiting=True))
        self.assertEqual(self.causes(peer(handshakes_begun=70)), [])

    def test_unanswered_under_load(self):
        self.says("only 3 cookies came back: it is under load", peer(state="waiting", attempt=5, cookies=3))

    def test_unanswered_behind_nat(self):
        waits = {"state": "waiting", "attempt": 5, "endpoint_source": "data"}
        self.says("if it is behind a NAT, persistent-keepalive 25 there", peer(**waits))
        for more in {"keepalive": 25}, {"endpoint_source": "configuration"}:
            (trouble,) = self.troubles(peer(**{**waits, **more}))
            self.assertNotIn("NAT", wgwhy.text(trouble))

    def test_answer_lost(self):
        self.finds("answer-lost", peer(state="answered", handshakes_answered=3))

    def test_silent(self):
        before = [peer(awaiting=True)]
        self.finds("silent", peer(awaiting=True, tx_packets=9), before=before)
        self.assertEqual(self.causes(peer(awaiting=True, tx_packets=9, rx_packets=4), before=before), [])
        self.finds("unanswered", peer(awaiting=True, tx_packets=9, attempt=2), before=before)

    def test_source_not_allowed(self):
        one = peer(refusal=refusals("rx-inner-bad-source"), refused_source=INSIDE)
        self.finds("source-not-allowed", one)
        self.finds("overlapping-allowed-ips", one, owners={INSIDE: {"public-key": OTHER}})

    def test_on_the_way(self):
        for reason, cause in (("rx-data-bad", "corrupted"), ("rx-data-replayed", "duplicated"),
                              ("rx-inner-bad-header", "inner-garbage")):
            self.finds(cause, peer(refusal=refusals(reason)))

    def test_mtu(self):
        self.host["link"] = lambda name: {"mtu": 1420 if name == "wg0" else 1400}
        self.finds("mtu", peer())

    def test_no_allowed_ips(self):
        self.allow()
        self.finds("no-allowed-ips", peer())
        self.host["allowed_ips"] = lambda name: {host.key_text(KEY): [], host.key_text(OTHER): ["192.168.7.2/32"]}
        self.says("an address belongs to the peer that got it last; see wg show wg0 allowed-ips",
                  peer(), peer(public_key=OTHER))

    def test_own_address(self):
        self.allow("192.168.7.1/32")
        self.finds("own-address", peer())

    def test_no_route_inside(self):
        self.route = lambda address, mark, device: {"dev": "eth0"}
        for state in "unused", "session":
            self.finds("no-route-inside", peer(state=state))
        self.allow("192.168.7.2/32", "10.44.0.0/16")
        self.route = lambda address, mark, device: \
            {"dev": "wg0"} if address.startswith("192") else {"dev": "eth0"}
        self.says("10.44.0.1", peer())
        self.allow("0.0.0.0/0")
        self.host["routes_into"] = lambda name: []
        self.finds("no-route-inside?", peer())

    def test_reverse_path(self):
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.host["is_strict"] = lambda name: True
        self.finds("no-route-inside", peer())
        counts = iter(({}, {"reverse-path": 3}))
        self.host["counted"] = lambda: next(counts)
        self.finds("reverse-path", peer(rx_packets=5), before=[peer()])

    def test_forwarding(self):
        for family in (1, 0), (0, 1):
            counts = iter(((0, 0), family))
            self.host["bad_addresses"] = lambda name, counts=counts: next(counts)
            other = peer(public_key=OTHER)
            (trouble,) = self.troubles(other, peer(rx_packets=5), before=[other, peer()])
            self.assertEqual((trouble["cause"], trouble["peer"]), ("forwarding", host.key_text(KEY)))

    def test_forwarding_of_others(self):
        for more, settings, wanted in (({}, {}, ["not-forwarded?"]), ({"rx_packets": 4}, {}, []),
                                       ({"rx_packets": 9}, {"forwarding": 1}, []), ({}, {"ip_forward": 1}, [])):
            counts = iter(((0, 0), (3, 0)))
            self.host["bad_addresses"] = lambda name, counts=counts: next(counts)
            self.settings(**settings)
            self.assertEqual(self.causes(peer(**more), before=[peer()]), wanted)

    def test_refused(self):
        self.says("its public key is no valid key", peer(state="waiting", attempt=1, session_age=None,
                                                         refusal=refusals("low-order-key")))
        for reason in causes.ODD:
            self.finds("refused", peer(refusal=refusals(reason)), refusal=refusals(reason))


if __name__ == "__main__":
    unittest.main()
