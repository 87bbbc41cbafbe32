# SPDX-License-Identifier: GPL-2.0
"""How long it looks until it is decided."""

import time
import unittest
from unittest import mock

import firewall
import host
import programs
from test_causes import Kernel, peer, rule, udp, wgwhy


class NoWire:
    """Stands for devices that may not be looked at."""

    messages, settled, is_open, is_whole = (), 0, False, True

    def read(self):
        pass

    def wait(self, seconds):
        time.sleep(seconds)

    def close(self):
        pass


class Looks(unittest.TestCase):
    """How long it looks."""

    def setUp(self):
        self.enterContext(mock.patch.multiple(host, opening=lambda: [], asking=lambda: []))

    def seconds(self, *peers_in_turn, rules=lambda turn: [], tc=lambda turn: {}, wires=None):
        turn, slept = [0], []

        def dump(**_):
            return Kernel([peers_in_turn[min(turn[0], len(peers_in_turn) - 1)]], {}).dump()

        def sleep(seconds):
            turn[0] += 1
            slept.append(seconds)

        client = mock.Mock(dump=dump)
        with mock.patch.object(wgwhy.time, "sleep", sleep), \
                mock.patch.multiple(host, has_socket=lambda port: True, tc_drops=lambda: tc(turn[0]),
                                    unsent=lambda: 0, all_addresses=lambda: ["10.0.0.1"]), \
                mock.patch.object(wgwhy.firewall, "listing", lambda: rules(turn[0])), \
                mock.patch.object(wgwhy.wire, "Wire", wires or NoWire):
            (found,) = wgwhy.look(client, ["wg0"])
        return sum(slept), found

    def test_a_tunnel_that_works(self):
        self.assertEqual(self.seconds(peer())[0], 1)

    def test_a_stream_one_way(self):
        packets = [peer(awaiting=True, tx_packets=count) for count in range(10)]
        seconds, found = self.seconds(*packets, peer(awaiting=True, tx_packets=20, rx_packets=4))
        self.assertEqual(seconds, 10)
        self.assertFalse(found.still_awaiting(found.peers[0]))

    def test_counters_of_the_host(self):
        """One that grows is looked at again."""
        packets = [peer(rx_packets=3 + count, rx_bytes=300 + 100 * count) for count in range(20)]
        for grows, wanted, times in ((1,), 3, 1), ((1, 2), 2, 2), ((2,), 1, 0):
            turns = iter(range(20))
            with mock.patch.multiple(host, is_strict=lambda name: True, bad_addresses=lambda name: (0, 0), counted=lambda turns=turns, grows=grows: (
                    lambda turn: {"reverse-path": sum(turn >= one for one in grows)})(next(turns))):
                seconds, found = self.seconds(*packets)
            self.assertEqual((seconds, found.lasting.get("reverse-path", 0)), (wanted, times), grows)

    def test_slow_programs(self):
        """What they take is part of the time."""
        now = iter(range(0, 1000, 4))
        with mock.patch.object(wgwhy.time, "monotonic", lambda: next(now)):
            seconds, _ = self.seconds(*[peer(awaiting=True, tx_packets=count) for count in range(20)])
        self.assertEqual(seconds, 3)
        called = []
        with mock.patch.multiple(programs, SLOW={"nft"}, run=lambda *words: called.append(words) or ""):
            self.assertEqual(firewall.listing(), [])
        self.assertEqual(called, [])

    def test_silence(self):
        seconds, found = self.seconds(*[peer(awaiting=True, tx_packets=count) for count in range(20)])
        self.assertEqual(seconds, 12)
        self.assertTrue(found.still_awaiting(found.peers[0]))
        tries = [peer(awaiting=True, attempt=2, tx_packets=count) for count in range(20)]
        self.assertEqual(self.seconds(*tries)[0], 6)

    def test_a_rule_that_may_drop(self):
        waits = peer(state="waiting", attempt=3)
        for grows, wanted in ((3, 3), (90, 6)):
            seconds, _ = self.seconds(waits, rules=lambda turn, grows=grows: [
                rule(udp("dport", 51822), count=5 + (turn >= grows))])
            self.assertEqual(seconds, wanted)


if __name__ == "__main__":
    unittest.main()
