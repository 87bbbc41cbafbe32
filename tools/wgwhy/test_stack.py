# SPDX-License-Identifier: GPL-2.0
"""What the stack of this host counts: reverse paths, routes, checksums, connections, its clock."""

import ctypes
import ipaddress
import pathlib
import types
import unittest
from unittest import mock

import host
import programs
import seen
from test_causes import Case, peer, wgwhy
from test_way import WAITS
from wire import Message

THEM, US = map(ipaddress.ip_address, ("10.0.0.2", "10.0.0.1"))
ANSWER = Message("response", "eth1", False, THEM, US, 51822, 51821)


class Counters(Case):
    def counts(self, **values):
        """What was counted while it looked."""
        turns = iter(({}, {name.replace("_", "-"): value for name, value in values.items()}))
        self.host["counted"] = lambda: next(turns)

    def test_answers_by_another_device(self):
        self.host["is_strict"] = lambda name: name == "eth1"
        self.messages = [ANSWER]
        self.counts(reverse_path=1)
        self.says("come by eth1 and are dropped: rp_filter there is strict", peer(**WAITS))
        self.counts()
        self.finds("dropped-here", peer(**WAITS))
        self.counts(reverse_path=1)
        self.messages = [ANSWER._replace(device="eth0")]
        self.finds("dropped-here", peer(**WAITS))

    def test_fragments(self):
        for count, wanted in (0, []), (3, ["mtu?"]):
            self.counts(fragments=count)
            self.assertEqual(self.causes(peer()), wanted)
        self.counts(fragments=3)
        self.says("3 datagrams came incomplete: fragments are lost on the way", peer())

    def test_devices_with_a_dot(self):
        """sysctl takes a dot of a name for its own."""
        self.host["is_strict"] = lambda name: name == "eth0.100"
        self.messages = [ANSWER._replace(device="eth0.100")]
        self.counts(reverse_path=1)
        self.says("sysctl net/ipv4/conf/eth0.100/rp_filter=2", peer(**WAITS))
        for module in seen.MODULES:
            text = pathlib.Path(module.__file__).read_text(encoding="utf-8")
            self.assertNotRegex(text, r"net\.ipv[46]\.conf\.\{", module)

    def test_sources_of_a_default_prefix(self):
        self.allow("0.0.0.0/0")
        self.host["is_strict"] = lambda name: name == "wg0"
        for dropped, rx, wanted in ((4, 7, ["reverse-path"]), (1, 7, []), (4, 3, []), (0, 7, [])):
            self.counts(reverse_path=dropped)
            self.assertEqual(self.causes(peer(rx_packets=rx, rx_bytes=300 + 100 * (rx - 3)), before=[peer()]), wanted, (dropped, rx))
        self.host["is_strict"] = lambda name: False
        self.counts(reverse_path=4)
        self.assertEqual(self.causes(peer(rx_packets=7, rx_bytes=900), before=[peer()]), [])

    def test_of_the_whole_host(self):
        """A counter that grew once, or while the peer got its answers, may be another's."""
        self.allow("0.0.0.0/0")
        self.host["is_strict"] = lambda name: name == "wg0"
        self.settings(forwarding=1)
        came = {"rx_packets": 7, "rx_bytes": 900}
        for name, cause in ("reverse_path", "reverse-path"), ("no_route", "no-route-beyond"):
            for times, sent, is_sure in (2, 0, True), (1, 0, False), (2, 3, False), (2, 2, True):
                self.times = times
                self.counts(**{name: 4})
                now = peer(**came, tx_packets=3 + sent, tx_bytes=300 + 100 * sent)
                self.assertEqual(self.causes(now, before=[peer()]), [cause + "?" * (not is_sure)], (times, sent))
        self.times = 1
        self.counts(no_route=4)
        self.says("it is a counter of the whole host", peer(**came), before=[peer()])

    def test_no_route_beyond(self):
        for lost, rx, forwarding, wanted in ((4, 7, 1, ["no-route-beyond"]), (4, 7, 0, []), (5, 7, 1, []), (1, 7, 1, []), (0, 7, 1, [])):
            self.counts(no_route=lost)
            self.settings(forwarding=forwarding)
            self.assertEqual(self.causes(peer(rx_packets=rx, rx_bytes=300 + 100 * (rx - 3)), before=[peer()]), wanted, (lost, rx))

    def test_checksums(self):
        self.messages = [ANSWER]
        self.counts(checksum=2)
        self.says("2 datagrams came with a wrong checksum", peer(**WAITS))
        self.counts(checksum=2)
        self.assertEqual(self.causes(peer()), [])

    def test_black_hole(self):
        self.host["backing_off"] = lambda: [("192.168.7.1", "192.168.7.2")]
        self.finds("mtu?", peer(rx_packets=4), before=[peer()])
        self.assertEqual(self.causes(peer()), [])
        for others in ("10.0.0.1", "192.168.7.2"), ("192.168.7.1", "10.9.9.9"):
            self.host["backing_off"] = lambda others=others: [others]
            self.assertEqual(self.causes(peer(rx_packets=4), before=[peer()]), [])

    def test_clock(self):
        for is_free, words in ((True, "the clock here is not synchronized"), (False, "if the clock here was later once")):
            self.host["is_clock_unsynchronized"] = lambda is_free=is_free: is_free
            (trouble,) = self.troubles(peer(**WAITS))
            self.assertIn(words, wgwhy.text(trouble))


class Programs(unittest.TestCase):
    def test_counted(self):
        texts = {"/proc/net/snmp": "Ip: ReasmFails\nIp: 3\nUdp: InCsumErrors\nUdp: 4\n",
                 "/proc/net/netstat": "TcpExt: IPReversePathFilter\nTcpExt: 5\nIpExt: InNoRoutes\nIpExt: 6\n"}
        with mock.patch.object(host, "read", lambda name: texts.get(name, "")):
            self.assertEqual(host.counted(), {"reverse-path": 5, "no-route": 6, "checksum": 4, "fragments": 3})

    def test_backing_off(self):
        text = "0 5000 192.168.7.1:40000 192.168.7.2:9 timer:(on,3sec,2)\n\t cubic rto:3000 backoff:3 mss:1380\n" \
               "0 0 192.168.7.1:40001 192.168.7.3:9\n\t cubic rto:200\n" \
               "0 0 [fd77::1]:40002 [fd77::2]:22 timer:(on,1sec,1)\n\t cubic backoff:1\n" \
               "0 9 [::ffff:192.168.7.1]:40003 [::ffff:192.168.7.4]:22\n\t cubic backoff:4\n"
        with mock.patch.object(programs, "run", lambda *words: text):
            self.assertEqual(list(host.backing_off()), [("192.168.7.1", "192.168.7.2"), ("192.168.7.1", "192.168.7.4")])

    def test_clock(self):
        def adjtimex(data):
            self.assertEqual(data.raw, bytes(512))
            word = ctypes.sizeof(ctypes.c_long)
            ctypes.c_int.from_buffer(data, 5 * word).value = flags
            return state
        for flags, state, wanted in ((0x40, 5, True), (0x2001, 0, False), (0x40, -1, False)):
            with mock.patch.object(ctypes, "CDLL", lambda name: types.SimpleNamespace(adjtimex=adjtimex)):
                self.assertEqual(host.is_clock_unsynchronized(), wanted)


if __name__ == "__main__":
    unittest.main()
