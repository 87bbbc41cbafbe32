# SPDX-License-Identifier: GPL-2.0
"""What passes the devices of this host, and what the rules of its firewall do to the port and
inside the tunnel."""

import ipaddress
import json
import pathlib
import struct
import unittest
from unittest import mock

import host
import programs
import wire
from test_causes import KEY, Case, peer, refusals, rule, udp
from test_looks import Looks, NoWire
from test_way import WAITS, address, chain, meta, uncounted
from wire import Message

US, THEM, ROUTER = map(ipaddress.ip_address, ("10.0.0.1", "10.0.0.2", "10.0.0.254"))
INSIDE = ipaddress.ip_address("192.168.7.2")


def runs(code, data):
    """What the filter says to a packet."""
    accumulator = index = at = 0
    while True:
        what, yes, no, value = code[at]
        at += 1
        if what == wire.GIVE:
            return value
        if what == wire.SHIFT:
            accumulator >>= value
        elif what == wire.LENGTH_TO_X:
            index = (data[value] & 15) * 4
        elif what in (wire.IS, wire.HAS):
            at += yes if (accumulator == value if what == wire.IS else accumulator & value) else no
        else:
            place = value + index * (what in (wire.LOAD_WORD_AT, wire.LOAD_BYTE_AT))
            size = {wire.LOAD_HALF: 2, wire.LOAD_WORD: 4, wire.LOAD_WORD_AT: 4}.get(what, 1)
            if place + size > len(data):
                return 0
            accumulator = int.from_bytes(data[place:place + size], "big")


def ip(source, target, protocol, payload, options=b"", offset=0):
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source.packed + target.packed + payload
    words = 5 + len(options) // 4
    return struct.pack(">BBHHHBBH", 0x40 | words, 0, 4 * words + len(payload), 1, offset, 64, protocol, 0) \
        + source.packed + target.packed + options + payload


def datagram(sport, dport, payload):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


INITIATION, DATA = bytes([1, 0, 0, 0]) + bytes(144), bytes([4, 0, 0, 0]) + bytes(28)


class Filter(unittest.TestCase):
    def check(self, data, wanted):
        self.assertEqual(bool(runs(wire.program(), data)), wanted is not None, data)
        self.assertEqual(wire.parse(data, "eth0", False), wanted)

    def test_messages(self):
        six, seven = map(ipaddress.ip_address, ("fd00::1", "fd00::2"))
        for us, them in (US, THEM), (six, seven):
            sent = datagram(51821, 51822, INITIATION)
            self.check(ip(us, them, 17, sent), Message("initiation", "eth0", False, us, them, 51821, 51822))
            self.check(ip(us, them, 17, datagram(51821, 51822, DATA)), None)
            self.check(ip(us, them, 6, sent), None)
            number, kind = (1, bytes([3, 3])) if us.version == 4 else (58, bytes([1, 4]))
            error = kind + bytes(6) + ip(us, them, 17, sent)[:us.max_prefixlen // 4 + 28]
            self.check(ip(them, us, number, error),
                       Message("unreachable", "eth0", False, them, them, 51821, 51822, kind[1]))
            # Our own stack says it where a neighbour does not answer.
            self.assertIsNone(wire.parse(ip(us, us, number, error), "lo", False))
            for first, name in wire.ECHOES[us.version].items():
                self.check(ip(us, them, number, bytes([first]) + bytes(7)), Message(name, "eth0", False, us, them))
            self.check(ip(us, them, number, bytes([99]) + bytes(7)), None)
        self.check(ip(US, THEM, 17, datagram(1, 2, INITIATION), options=bytes(8)),
                   Message("initiation", "eth0", False, US, THEM, 1, 2))
        self.assertFalse(runs(wire.program(), ip(US, THEM, 17, datagram(1, 2, INITIATION), offset=7)))
        self.assertFalse(runs(wire.program(), bytes(60)))
        for length in range(40):
            wire.parse(ip(THEM, US, 1, bytes([3, 3]) + bytes(6))[:length + 1], "eth0", False)

    def test_settled(self):
        made = wire.Wire.__new__(wire.Wire)
        made.messages, made.settled, made.mark, made.count, made.is_open, made.is_whole = [], 0, 0, 0, True, True
        packet = ip(US, THEM, 17, datagram(1, 2, INITIATION)), ("eth0", 0x800, wire.OUTGOING, 1, b"")
        made.socket = mock.Mock(recvfrom=mock.Mock(side_effect=[packet, BlockingIOError, packet, BlockingIOError]),
                                getsockopt=lambda *_: bytes(8))
        for wanted in (0, 1), (1, 2):
            made.read()
            self.assertEqual((made.settled, len(made.messages)), wanted)
        self.assertTrue(made.messages[0].is_out)

    def made(self, *packets, drops=0):
        """One that sees these packets, and loses some."""
        made = mock.Mock(recvfrom=mock.Mock(side_effect=[*packets, BlockingIOError]),
                         getsockopt=lambda *_: struct.pack("=II", 9, drops))
        with mock.patch.object(wire, "open_socket", lambda: made):
            return wire.Wire()

    def test_what_is_lost(self):
        packet = ip(US, THEM, 17, datagram(1, 2, INITIATION)), ("eth0", 0x800, wire.OUTGOING, 1, b"")
        for drops in 0, 3:
            found = self.made(packet, drops=drops)
            found.read()
            self.assertEqual((found.is_whole, len(found.messages)), (not drops, 1))
        with mock.patch.object(wire, "MOST", 2):
            found = self.made(packet, packet, packet)
            found.read()
            self.assertEqual((found.is_whole, len(found.messages)), (False, 2))
            self.assertTrue(found.is_open)

    def test_it_reads_while_it_waits(self):
        packet = ip(US, THEM, 17, datagram(1, 2, INITIATION)), ("eth0", 0x800, wire.OUTGOING, 1, b"")
        found = self.made(packet)
        with mock.patch.object(wire.select, "select", lambda *_: ([7], [], [])), \
                mock.patch.object(wire.time, "monotonic", mock.Mock(side_effect=[0, 0.5, 1.5])):
            found.wait(1)
        self.assertEqual((len(found.messages), found.settled), (1, 0))
        found.socket.recvfrom.side_effect = BlockingIOError
        found.read()
        self.assertEqual(found.settled, 0)
        found.read()
        self.assertEqual(found.settled, 1)

    def test_without_privilege(self):
        with mock.patch.object(wire, "open_socket", mock.Mock(side_effect=PermissionError)):
            made = wire.Wire()
            made.read()
            made.close()
            self.assertEqual((made.is_open, made.messages), (False, []))


class Outside(Case):
    def tried(self, **changes):
        """A peer that an initiation was sent to while it looked, and the same before."""
        after = {**WAITS, "handshakes_begun": 6, "initiation_age": 900, **changes}
        return peer(**after), [peer(**{**after, "handshakes_begun": 5, "refusal": []})]

    def test_unreachable(self):
        for source, code, words in ((THEM, 3, "10.0.0.2 answers that nothing listens on its port 51822"),
                                    (ROUTER, 3, "10.0.0.254 answers that nothing listens on 10.0.0.2:51822"),
                                    (ROUTER, 1, "10.0.0.254 has no way to 10.0.0.2:51822"),
                                    (ROUTER, 13, "10.0.0.254 forbids datagrams to 10.0.0.2:51822")):
            self.messages = [Message("unreachable", "eth0", False, source, THEM, 51821, 51822, code)]
            self.says(words, peer(**WAITS))
            self.says(words, peer(awaiting=True))
            # It works all the same.
            self.assertEqual(self.causes(peer(awaiting=True, rx_packets=9), before=[peer()]), [])
        for other in (9, THEM, 51822), (51821, ROUTER, 51822), (51821, THEM, 9):
            self.messages = [Message("unreachable", "eth0", False, THEM, other[1], other[0], other[2], 3)]
            self.finds("unanswered", peer(**WAITS))

    def test_nothing_leaves(self):
        now, before = self.tried()
        for messages, wanted in (([], "dropped-here"), (None, "unanswered"),
                                 ([Message("initiation", "eth0", True, US, THEM, 51821, 51822)], "unanswered"),
                                 # A rule that rewrites ports is no drop.
                                 ([Message("initiation", "eth0", True, US, THEM, 7, 51822)], "unanswered"),
                                 ([Message("initiation", "eth0", True, US, ROUTER, 51821, 7)], "unanswered"),
                                 ([Message("initiation", "wg0", True, US, THEM, 51821, 51822)], "dropped-here"),
                                 ([Message("initiation", "eth0", True, US, ROUTER, 7, 7)], "dropped-here")):
            self.messages = messages
            self.finds(wanted, now, before=before)
        # What is on a bridge has not left it yet.
        self.host["lowers"] = lambda name: ["eth0"] if name == "br0" else []
        sent = Message("initiation", "br0", True, US, THEM, 51821, 51822)
        for messages, wanted in ([sent], "dropped-here"), ([sent, sent._replace(device="eth0")], "unanswered"):
            self.messages = messages
            self.finds(wanted, now, before=before)
        self.messages, self.is_whole = [], False
        self.finds("unanswered", now, before=before)
        self.is_whole = True
        self.finds("unanswered", self.tried(initiation_age=5)[0], before=before)
        self.finds("unanswered", before[0], before=before)
        self.host["has_ipsec"] = lambda: True
        self.finds("unanswered", now, before=before)

    def test_answers_do_not_arrive(self):
        left = Message("initiation", "eth0", True, US, THEM, 51821, 51822)
        answer = Message("response", "eth0", False, THEM, US, 51822, 51821)
        now, before = self.tried()
        self.messages = [left, answer]
        self.finds("dropped-here", now, before=before)
        for other in answer._replace(source=ROUTER), answer._replace(target=ROUTER), answer._replace(dport=9), answer._replace(is_out=True):
            self.messages = [left, other]
            self.finds("unanswered", now, before=before)
        self.messages = [left, answer]
        refused, _ = self.tried(refusal=refusals("rx-response-bad"))
        self.finds("preshared-key", refused, before=before)
        late, _ = self.tried(refusal=refusals("rx-response-superseded"))
        self.finds("late-answer", late, before=before)
        self.messages = [left]
        self.finds("unanswered", late, before=before)


class Vrf(Case):
    """The way out is in a VRF, of which sockets outside hear nothing."""

    def setUp(self):
        super().setUp()
        self.host["vrf_of"] = lambda name: "red" if name == "eth0" else ""

    def test_answers(self):
        left = Message("initiation", "eth0", True, US, THEM, 51821, 51822)
        self.messages = [left, Message("response", "eth0", False, THEM, US, 51822, 51821)]
        now = {**WAITS, "handshakes_begun": 6, "initiation_age": 900}
        before = [peer(**{**now, "handshakes_begun": 5})]
        self.says("by eth0, which belongs to the VRF red", peer(**now), before=before)
        self.says("sysctl net.ipv4.udp_l3mdev_accept=1", peer(**now), before=before)
        self.settings(udp_l3mdev_accept=1)
        self.says("a firewall in prerouting or input", peer(**now), before=before)

    def test_handshakes(self):
        self.messages = [Message("initiation", "eth0", False, THEM, US, 51822, 51821)]
        self.says("by eth0, which belongs to the VRF red", peer(**Port.CALLED))

    def test_program(self):
        texts = {"eth0": '[{"master":"red"}]', "red": '[{"linkinfo":{"info_kind":"vrf"}}]',
                 "eth1": '[{"master":"br0"}]', "br0": '[{"linkinfo":{"info_kind":"bridge"}}]'}
        for cached in host.link, host.kind:
            cached.cache_clear()
        with mock.patch.object(programs, "run", lambda *words: texts.get(words[-1], "[]")):
            self.assertEqual([host.vrf_of(name) for name in ("eth0", "red", "eth1", "lo")], ["red", "red", "", ""])
        for cached in host.link, host.kind:
            cached.cache_clear()


class Port(Case):
    """The firewall before the port of one that is called."""

    CALLED = {"state": "unused", "rx_packets": 0, "session_age": None}

    def test_rules(self):
        base = chain("input", "accept")
        named, wide = udp("dport", 51822 - 1), ()
        for rules, wanted in (([rule(named, count=3)], ["port-blocked"]), ([rule(named, count=0)], ["port-blocked?"]),
                              ([uncounted(named)], ["port-blocked?"]), ([rule(*wide, count=9)], ["port-blocked?"]),
                              ([uncounted(meta("state", "established", "ct"), verdict="accept"), rule(verdict="reject")],
                               ["port-blocked?"]),
                              ([uncounted(named, verdict="accept"), rule(count=9)], []),
                              ([rule({"limit": {"rate": 5}}, named, count=9)], []), ([], [])):
            self.rules = [base, *rules]
            self.assertEqual(self.causes(peer(**self.CALLED)), wanted, rules)
        self.rules = [base, rule(named, count=3)]
        self.says("a rule in inet t c drops what comes to the port 51821 (3 so far)", peer(**self.CALLED))
        self.rules = [chain("input", "drop")]
        self.finds("port-blocked?", peer(**self.CALLED))

    def test_one_that_works(self):
        self.rules = [chain("input", "accept"), uncounted(meta("state", "established", "ct"), verdict="accept"),
                      rule(udp("dport", 51821), count=3)]
        before = [self.rules[0], self.rules[1], rule(udp("dport", 51821), count=1)]
        self.assertEqual(self.causes(peer()), [])
        self.assertEqual(self.causes(peer(rx_packets=9), before=[peer()], rules_before=before), [])
        # It grows, and nothing comes.
        self.finds("port-blocked", peer(), rules_before=before)

    def test_what_is_seen(self):
        came = Message("initiation", "eth0", False, THEM, US, 51822, 51821)
        self.messages = [came]
        self.says("not to the interface", peer(**self.CALLED))
        self.finds("port-blocked", peer(**self.CALLED))
        self.rules = [chain("input", "accept"), uncounted()]
        self.finds("port-blocked", peer(**self.CALLED))
        self.rules = []
        for one, more in ((came._replace(dport=9), {}), (came._replace(target=ROUTER), {}), (came._replace(is_out=True), {}),
                          (came, {"handshakes_answered": 1}), (came, {"refusal": refusals("rx-initiation-flood")})):
            self.messages = [one]
            self.assertEqual(self.causes(peer(**{**self.CALLED, **more}), before=[peer(**self.CALLED)]), [], more)


class Inside(Case):
    def balance(self, undelivered=0, unsent=0):
        counts, others = iter((0, undelivered)), iter((0, unsent))
        self.host["undelivered"] = lambda name: next(counts)
        self.host["unsent"] = lambda: next(others)

    def test_what_comes(self):
        came = {"rx_packets": 7, "rx_bytes": 1000}
        accepts = [chain("input", "drop"), uncounted(udp("dport", 51821), verdict="accept")]
        for rules, lost, more, wanted in (
                ([chain("input", "accept"), uncounted(meta("iifname", "wg0"))], 4, {}, ["firewall-inside"]),
                (accepts, 4, {}, ["firewall-inside"]), (accepts, 2, {}, ["firewall-inside"]), (accepts, 1, {}, []),
                (accepts, 4, {"rx_bytes": 428}, []), (accepts, 4, {"tx_packets": 7, "tx_bytes": 1000}, []), ([], 4, {}, []),
                ([*accepts, uncounted(meta("iifname", "wg0"), verdict="accept")], 4, {}, []),
                ([*accepts, uncounted(meta("state", "established", "ct"), verdict="accept")], 4, {}, [])):
            self.rules = rules
            self.balance(undelivered=lost)
            self.assertEqual(self.causes(peer(**{**came, **more}), before=[peer()]), wanted, (rules, lost, more))

    def test_what_goes(self):
        keepalive, data = {"tx_packets": 1, "tx_bytes": 32}, {"tx_packets": 9, "tx_bytes": 1152}
        for unsent, more, wanted in ((3, {}, ["firewall-inside"]), (0, {}, []), (3, data, []),
                                     (3, keepalive, ["firewall-inside"])):
            self.rules = [chain("output", "accept"), uncounted(meta("oifname", "wg0"))]
            self.balance(unsent=unsent)
            self.assertEqual(self.causes(peer(**more), before=[peer()]), wanted)

    def test_addresses(self):
        inner = {"prefix": {"addr": "192.168.7.2", "len": 32}}
        for right, wanted in ((inner, ["firewall-inside"]), ("10.9.9.9", [])):
            base = chain("input", "accept")
            self.rules = [base, rule(address("saddr", right), count=5)]
            self.assertEqual(self.causes(peer(rx_packets=5), before=[peer()],
                                         rules_before=[base, rule(address("saddr", right), count=3)]), wanted)

    def vain(self, **more):
        now = {"tx_packets": 20, "tx_bytes": 3000, "rx_packets": 4, "rx_bytes": 332, **more}
        return peer(**now)

    def test_nothing_inside(self):
        ping = Message("echo", "wg0", True, ipaddress.ip_address("192.168.7.1"), INSIDE)
        self.messages = [ping] * 3
        self.finds("nothing-inside", self.vain(), before=[peer()])
        self.says("to 192.168.7.2 get no answer", self.vain(), before=[peer()])
        for more in {"rx_bytes": 400}, {"rx_packets": 3, "rx_bytes": 300}, {"tx_packets": 4, "tx_bytes": 332}, \
                {"rx_bytes": 392, "handshakes_completed": 2}:
            self.assertEqual(self.causes(self.vain(**more), before=[peer()]), [], more)
        for messages in [], [ping._replace(device="eth0")], [ping, Message("reply", "wg0", False, INSIDE, US)], \
                [ping._replace(target=ROUTER)]:
            self.messages = messages
            self.assertEqual(self.causes(self.vain(), before=[peer()]), [], messages)
        self.messages = []
        for opening, wanted in (("192.168.7.1", "192.168.7.2"), ["nothing-inside"]), \
                (("10.0.0.1", "192.168.7.2"), ["nothing-inside"]), (("192.168.7.1", "10.9.9.9"), []):
            self.host["opening"] = lambda opening=opening: [opening]
            self.assertEqual(self.causes(self.vain(), before=[peer()]), wanted)

    def test_a_target_beyond(self):
        self.messages = [Message("echo", "wg0", True, ipaddress.ip_address("192.168.7.1"), INSIDE)]
        for networks, wanted in (["192.168.7.1/24"], False), (["192.168.7.1/32"], True), ([], True):
            self.host["own_networks"] = lambda name, networks=networks: [
                ipaddress.ip_network(one, strict=False) for one in networks]
            (trouble,) = self.troubles(self.vain(), before=[peer()])
            for words in "that it forwards and translates (masquerade)", "or the target itself is down":
                self.assertEqual(words in trouble["what"], wanted)

    def test_untranslated(self):
        self.allow("192.168.7.0/24")
        for target, wanted in ("9.9.9.9", "untranslated"), ("10.2.0.9", "untranslated?"):
            came = Message("echo", "wg0", False, INSIDE, ipaddress.ip_address(target))
            leaves = came._replace(device="eth0", is_out=True)
            reply = came._replace(kind="reply", device="eth0", source=came.target, target=came.source)
            self.messages = [came, leaves]
            self.finds(wanted, peer())
            self.says(f"leaves by eth0 untranslated, from {INSIDE} for {target}", peer())
            for messages in [came, leaves, reply], [leaves], [came, leaves._replace(source=US)]:
                self.messages = messages
                self.assertEqual(self.causes(peer()), [], messages)
        self.messages = [came, leaves]
        self.allow("0.0.0.0/0")
        self.assertEqual(self.causes(peer()), [])

    def test_another_source(self):
        self.host["opening"] = lambda: [("10.0.0.1", "192.168.7.2")]
        self.says("to 192.168.7.2 from 10.0.0.1, which is no address of wg0, get no answer", self.vain(), before=[peer()])
        self.says("must have 10.0.0.1", self.vain(), before=[peer()])
        self.messages = [Message("echo", "wg0", True, US, INSIDE)]
        self.host["opening"] = lambda: []
        self.says("its allowed IPs for us must have 10.0.0.1", self.vain(), before=[peer()])
        # The route leads elsewhere.
        self.messages = []
        self.host["opening"] = lambda: [("10.0.0.1", "192.168.7.2")]
        self.host["routes"] = lambda asked: [{"dev": "eth0"} for _ in asked]
        self.assertNotIn("nothing-inside", self.causes(self.vain(), before=[peer()]))


class Looking(Looks):
    def with_wire(self, *peers, messages=()):
        class Made(NoWire):
            is_open = True

            def __init__(self):
                self.messages = []

            def read(self):
                self.settled = len(self.messages)
                self.messages = [*self.messages, *messages]

        return self.seconds(*peers, wires=Made)

    def test_until_an_error_comes(self):
        refused = Message("unreachable", "eth0", False, THEM, THEM, 51821, 51822, 3)
        self.assertEqual(self.with_wire(peer(**WAITS), messages=[refused])[0], 1)
        self.assertEqual(self.with_wire(peer(**WAITS))[0], 6)

    def test_one_that_nobody_called(self):
        called = peer(**Port.CALLED)
        self.assertEqual(self.with_wire(called)[0], 6)
        came = Message("initiation", "eth0", False, THEM, US, 51822, 51821)
        self.assertEqual(self.with_wire(called, messages=[came])[0], 2)
        self.assertEqual(self.with_wire(peer())[0], 1)
        # What was refused lately is known for some seconds only.
        self.assertEqual(self.with_wire(peer(**Port.CALLED, refusal=refusals("low-order-key")))[0], 1)

    def test_connections_that_begin_anew(self):
        """One that waited at an earlier look may be replaced by one that has asked only once."""
        asks = [peer(tx_packets=3 + count, tx_bytes=300 + 128 * count) for count in range(3)]
        alive = peer(tx_packets=50, tx_bytes=9000, rx_packets=4, rx_bytes=332)
        turns = iter([[("192.168.7.1", "192.168.7.2")], []])
        with mock.patch.multiple(host, allowed_ips=lambda name: {host.key_text(KEY): ["192.168.7.0/24"]},
                                 addresses=lambda name: ["192.168.7.1"], opening=lambda: next(turns, []), asking=lambda: [],
                                 routes=lambda asked: [{} for _ in asked]):
            _, found = self.with_wire(*asks[:2], alive, messages=[])
            self.assertEqual(found.opening, [("192.168.7.1", "192.168.7.2")])
        # Between two tries nothing is sent.
        still = [peer()] * 3 + [peer(tx_packets=3 + count, tx_bytes=300 + 128 * count) for count in range(30)]
        with mock.patch.multiple(host, allowed_ips=lambda name: {host.key_text(KEY): ["192.168.7.0/24"]},
                                 addresses=lambda name: ["192.168.7.1"], opening=lambda: [("192.168.7.1", "192.168.7.2")],
                                 asking=lambda: [], routes=lambda asked: [{} for _ in asked]):
            self.assertEqual(self.with_wire(*still, messages=[])[0], 12)
        # One that has asked once may yet do it again.
        for waits, wanted in ([("192.168.7.1", "192.168.7.2", 0)], 4), ([], 1):
            turns = iter([waits] * 3)
            with mock.patch.multiple(host, allowed_ips=lambda name: {host.key_text(KEY): ["192.168.7.0/24"]},
                                     addresses=lambda name: ["192.168.7.1"], opening=lambda: [],
                                     routes=lambda asked: [{} for _ in asked],
                                     asking=lambda turns=turns: next(turns, [])):
                asks = [peer(tx_packets=3 + count, tx_bytes=300 + 128 * count) for count in range(30)]
                self.assertEqual(self.with_wire(*asks, messages=[])[0], wanted)

    def test_until_a_keepalive_comes(self):
        ping = Message("echo", "wg0", True, US, INSIDE)
        asks = [peer(tx_packets=3 + count, tx_bytes=300 + 128 * count) for count in range(30)]
        with mock.patch.multiple(host, allowed_ips=lambda name: {host.key_text(KEY): ["192.168.7.0/24"]},
                                 addresses=lambda name: ["192.168.7.1"], opening=lambda: [], asking=lambda: []):
            self.assertEqual(self.with_wire(*asks, messages=[ping])[0], 12)
            alive = peer(tx_packets=50, tx_bytes=9000, rx_packets=4, rx_bytes=332)
            self.assertEqual(self.with_wire(*asks[:4], alive, messages=[ping])[0], 4)
            self.assertEqual(self.with_wire(*asks)[0], 1)


class Programs(unittest.TestCase):
    def test_undelivered(self):
        texts = {"/proc/net/snmp": "Ip: InReceives InDelivers ForwDatagrams InAddrErrors ReasmReqds ReasmOKs\nIp: 30 10 4 1 6 2\n",
                 "/proc/net/netstat": "TcpExt: IPReversePathFilter\nTcpExt: 2\nIpExt: InNoRoutes\nIpExt: 3\n",
                 "/proc/net/dev_snmp6/wg0": "Ip6InReceives\t9\nIp6InDelivers 3\nIp6InDiscards 1\n"}
        with mock.patch.multiple(host, read=lambda name: texts.get(name, ""), sysctl=lambda name: 0):
            self.assertEqual(host.undelivered("wg0"), 30 - 10 - 4 - 1 - (6 - 2) - 2 - 3 + 9 - 3 - 1)
        with mock.patch.multiple(host, read=lambda name: texts.get(name, ""), sysctl=lambda name: 1):
            self.assertEqual(host.undelivered("wg0"), 30 - 10 - 4 - 1 - (6 - 2) - 2 - 3)

    def test_lowers(self):
        names = lambda folder, pattern: [pathlib.Path(f"{folder}/lower_eth{number}") for number in (0, 1)]
        for kind, wanted in ("bridge", ["eth0", "eth1"]), ("macsec", []), ("", []):
            host.lowers.cache_clear()
            host.kind.cache_clear()
            text = json.dumps([{"linkinfo": {"info_kind": kind}} if kind else {}])
            with mock.patch.object(programs, "run", lambda *words, text=text: text), \
                    mock.patch.object(pathlib.Path, "glob", names):
                self.assertEqual(host.lowers("br0"), wanted)
        host.lowers.cache_clear()
        host.kind.cache_clear()

    def test_opening(self):
        text = "0 1 192.168.7.1:40000 192.168.7.2:9 timer:(on,3sec,2)\n" \
               "0 1 192.168.7.1:40001 192.168.7.3:9 timer:(on,900ms,0)\n" \
               "0 1 [fd77::1]:40002 [fd77::2]:22 timer:(on,1.5sec,1)\n" \
               "0 1 [::ffff:192.168.7.1]:40002 [::ffff:192.168.7.4]:22 timer:(on,1.5sec,1)\n"
        with mock.patch.object(programs, "run", lambda *words: text):
            self.assertEqual(list(host.opening()), [("192.168.7.1", "192.168.7.2"), ("fd77::1", "fd77::2"),
                                                    ("192.168.7.1", "192.168.7.4")])


if __name__ == "__main__":
    unittest.main()
