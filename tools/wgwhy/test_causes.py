# SPDX-License-Identifier: GPL-2.0
"""Each cause is found in what the kernel and the host would show, and nothing in a tunnel that works."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import causes
import host
import netlink
import schema

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
        self.host = {
            "link": lambda name: {"mtu": 1420 if name == "wg0" else 1500},
            "addresses": lambda name: ["192.168.7.1"],
            "allowed_ips": lambda name: {host.key_text(KEY): ["192.168.7.2/32"]},
            "of_wg": lambda name, what: {},
            "route": lambda address, mark=0: {"dev": "wg0" if str(address).startswith("192") else "eth0"},
            "reverse_path": lambda name: False,
            "bad_addresses": lambda: 0,
            "listeners": lambda port: [],
            "blocking_rules": lambda port, remote: [],
            "sysctl": lambda name: 0,
            "is_clock_behind": lambda: False,
        }

    def causes(self, *peers, before=None, owners=None, **interface):
        kernel = Kernel(list(peers), interface)
        kernel.owners = owners or {}
        with mock.patch.multiple(host, **self.host):
            earlier = wgwhy.Seen(Kernel(before or list(peers), interface), "wg0")
            found = wgwhy.Seen(kernel, "wg0", earlier).troubles()
        for trouble in found:
            self.assertTrue(wgwhy.text(trouble).endswith("."))
        return [trouble["cause"] for trouble in found]

    def finds(self, cause, *peers, **more):
        self.assertEqual(self.causes(*peers, **more), [cause])


class Healthy(Case):
    def test_nothing_is_wrong(self):
        for one in (peer(), peer(state="unused"), peer(state="expired"), peer(state="reset"),
                    peer(state="waiting", attempt=1), peer(keepalive=25), peer(awaiting=True),
                    peer(refusal=refusals("rx-inner-bad-source", "tx-no-route", age=400_000))):
            self.assertEqual(self.causes(one), [], one)


class Interface(Case):
    def test_down(self):
        self.finds("interface-down", peer(), up=None)

    def test_port_taken(self):
        self.host["listeners"] = lambda port: ['UNCONN users:(("socat",pid=1,fd=5))']
        self.finds("port-taken", peer(), up=None)

    def test_no_private_key(self):
        self.finds("no-private-key", peer(state="no-private-key"), public_key=None)

    def test_no_peers(self):
        self.finds("no-peers")

    def test_no_address(self):
        self.host["addresses"] = lambda name: []
        self.finds("no-address", peer())

    def test_no_peer_for_destination(self):
        self.finds("no-peer-for-destination", peer(), refusal=refusals("tx-no-peer"),
                   refused_destination=bytes([1, 1, 1, 1]))

    def test_unknown_initiator(self):
        self.finds("unknown-initiator", peer(), refusal=refusals("rx-initiation-unknown-peer"),
                   unknown_initiator=OTHER, refused_remote={"address": OUTSIDE, "port": 7})

    def test_our_key_unknown(self):
        self.finds("our-key-unknown", peer(), refusal=refusals("rx-bad-mac1"))

    def test_under_load(self):
        self.finds("under-load", peer(), under_load=True)

    def test_lost_session(self):
        self.finds("lost-session", peer(), refusal=refusals("rx-data-unknown-index"))

    def test_not_wireguard(self):
        self.finds("not-wireguard", peer(), refusal=refusals("rx-bad-type"))


class Peer(Case):
    def test_no_endpoint(self):
        self.finds("no-endpoint", peer(state="no-endpoint", endpoint=None, keepalive=25))

    def test_endpoint_in_tunnel(self):
        self.host["route"] = lambda address, mark=0: {"dev": "wg0"}
        self.finds("endpoint-in-tunnel", peer(state="waiting", attempt=5))

    def test_no_route_outside(self):
        self.host["route"] = lambda address, mark=0: "network is unreachable"
        self.finds("no-route-outside", peer(state="waiting", attempt=5, refusal=refusals("tx-no-route")))

    def test_no_socket(self):
        self.finds("no-socket", peer(state="waiting", attempt=5, refusal=refusals("tx-no-socket")))

    def test_preshared_key(self):
        self.finds("preshared-key", peer(state="waiting", attempt=5, refusal=refusals("rx-response-bad")))

    def test_clock(self):
        self.finds("clock", peer(refusal=refusals("rx-initiation-replayed")))

    def test_our_clock(self):
        self.host["is_clock_behind"] = lambda: True
        self.finds("our-clock", peer(state="waiting", attempt=5))

    def test_two_hosts(self):
        self.finds("two-hosts-one-key", peer(recent_moves=4))

    def test_firewall(self):
        self.host["blocking_rules"] = lambda port, remote: [("inet t c", 3)]
        self.finds("firewall", peer(state="waiting", attempt=5))

    def test_unanswered(self):
        self.finds("unanswered", peer(state="waiting", attempt=5))
        self.finds("unanswered", peer(state="given-up", initiation_age=100_000))

    def test_answer_lost(self):
        self.finds("answer-lost", peer(state="answered", handshakes_answered=3))

    def test_silent(self):
        before = [peer(awaiting=True)]
        self.finds("silent", peer(awaiting=True, tx_packets=9), before=before)
        self.assertEqual(self.causes(peer(awaiting=True, tx_packets=9, rx_packets=4), before=before), [])

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
        self.host["allowed_ips"] = lambda name: {host.key_text(KEY): []}
        self.finds("no-allowed-ips", peer())

    def test_no_route_inside(self):
        self.host["route"] = lambda address, mark=0: {"dev": "eth0"}
        self.finds("no-route-inside", peer(state="unused"))

    def test_reverse_path(self):
        self.host["route"] = lambda address, mark=0: {"dev": "eth0"}
        self.host["reverse_path"] = lambda name: True
        self.finds("reverse-path", peer())

    def test_forwarding(self):
        counts = iter(range(100))
        self.host["bad_addresses"] = lambda: next(counts)
        self.finds("forwarding", peer())


class Client(unittest.TestCase):
    def test_what_is_encoded_is_decoded(self):
        values = {"ifname": "wg0", "unprivileged-read": 1, "peer": {
            "public-key": KEY, "name": "zoë", "pin": "fixed", "in-mark": 7, "rx-bytes": 1 << 40,
            "endpoint": {"address": OUTSIDE, "port": 51822}, "awaiting": True}}
        self.assertEqual(netlink.decode("diag", netlink.encode("diag", values)), values)

    def test_what_is_repeated_is_a_list(self):
        one = netlink.encode("peer", {"refusal": {"reason": "gone", "count": 1, "age": 2}})
        number = schema.ENUMS["reason"].index("gone")
        self.assertEqual(netlink.decode("peer", one + one)["refusal"], [{"reason": "gone", "count": 1, "age": 2}] * 2)
        self.assertEqual(schema.ENUMS["reason"][number], "gone")

    def test_what_is_new_is_passed_over(self):
        self.assertEqual(netlink.decode("peer", netlink.attribute(777, b"1234")), {})

    def test_all_reasons_have_words(self):
        self.assertEqual(set(schema.REASONS), set(schema.ENUMS["reason"]))

    def test_reasons_of_causes_exist(self):
        known = {*schema.ENUMS["reason"], *(name for name, *_ in schema.SETS["peer"].values())}
        text = pathlib.Path(causes.__file__).read_text(encoding="utf-8")
        for word in ("rx-", "tx-"):
            for part in text.split(f'"{word}')[1:]:
                self.assertIn(word + part.split('"')[0], known)


class Installed(unittest.TestCase):
    """The program as install.sh installs it: an archive."""

    def test_clock(self):
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(__file__).parent
            subprocess.run([here / "install.sh", "install", folder], check=True, capture_output=True)
            (program,) = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
            code = "import sys; sys.path.insert(0, sys.argv[1]); import host; print(host.is_clock_behind())"
            for age, behind in ((-1000, "True"), (1000, "False")):
                os.utime(program, (time.time() - age,) * 2)
                done = subprocess.run([sys.executable, "-c", code, program], check=True, text=True,
                                      capture_output=True)
                self.assertEqual(done.stdout.strip(), behind)


if __name__ == "__main__":
    unittest.main()
