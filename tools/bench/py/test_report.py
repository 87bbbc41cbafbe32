# SPDX-License-Identifier: GPL-2.0
"""Tests of the plan and of what becomes of the results. The static check "bench" runs them."""

import itertools
import unittest

import cases
import report


def results(planned, seconds):
    """What each run would say: `seconds` maps (left, right) to the time it took."""
    return {index: {"bytes": 1e6, "packets": 1000.0, "retransmits": 0.0, "seconds": seconds[run.left, run.right]}
            for index, run in enumerate(planned)}


class Plan(unittest.TestCase):
    def test_every_other_round_is_in_the_opposite_order(self):
        first, second, third = (list(cases.runs(number, False)) for number in (1, 2, 3))
        self.assertEqual(first, second[::-1])
        self.assertEqual(first, third)

    def test_each_run_has_one_of_c_beside_it(self):
        for quick in True, False:
            seen = {(run.case.name, run.wire, run.left, run.right) for run in cases.runs(1, quick)}
            for name, wire, _, _ in seen:
                self.assertIn((name, wire, "c", "c"), seen)
                self.assertIn((name, wire, "ours", "ours"), seen)

    def test_no_traffic_between_our_own_ends_on_plain_veth_only(self):
        for quick in True, False:
            wires = {}
            for run in cases.runs(1, quick):
                wires.setdefault(run.case.name, set()).add(run.wire)
            for name, of_case in wires.items():
                self.assertNotEqual(of_case, {"veth"}, name)

    def test_runs_of_a_topology_stand_together(self):
        topologies = [run.topology() for run in cases.runs(1, False)]
        changes = sum(before != after for before, after in itertools.pairwise(topologies))
        self.assertEqual(changes + 1, len(set(topologies)))

    def test_ours_is_next_to_c_whatever_else_there_is(self):
        ends = [run.left for run in cases.runs(1, False, ["vpn"]) if run.wire == "single"]
        ends = list(dict.fromkeys(ends))
        self.assertEqual(abs(ends.index("c") - ends.index("ours")), 1)

    def test_words_choose_cases(self):
        self.assertEqual({run.case.name for run in cases.runs(1, False, ["MSS"])}, {"TCP, MSS 536"})

    def test_what_is_done_by_hand_is_asked_for_by_name(self):
        for words in [], ["peers"], ["10000"]:
            self.assertNotIn("100000 peers", {run.case.name for run in cases.runs(1, False, words)})
        self.assertEqual([(run.case.name, run.left) for run in cases.runs(1, False, ["100000"])],
                         [("100000 peers", "ours")])

    def test_lines_are_what_the_guest_reads(self):
        self.assertIn("1 ours ours veth 4 direct 0 tcp 4M -M 536", list(cases.plan(1, False, ["MSS"])))

    def test_vpns_are_not_in_the_quick_table(self):
        self.assertFalse([run for run in cases.runs(1, True) if run.case.vpns or run.left in cases.OTHERS])

    def test_each_vpn_has_a_run_on_each_wire(self):
        found = [run for run in cases.runs(1, False, ["vpn"]) if run.case.program == "tcp"]
        self.assertEqual({(run.left, run.right, run.wire) for run in found},
                         {(vpn, vpn, wire) for vpn in cases.VPNS for wire in cases.WIRES})

    def test_a_word_chooses_the_vpns(self):
        self.assertEqual({run.case.name for run in cases.runs(1, False, ["vpn"])},
                         {"vpns, TCP, 1 stream", "vpns, ping"})


class Results(unittest.TestCase):
    def test_lines(self):
        self.assertEqual(report.read_results(["begin 3", "end 3 bytes=8 seconds=0.5 ", "begin 4"]),
                         {3: {"bytes": 8.0, "seconds": 0.5}})

    def test_a_second_try_leaves_a_trace(self):
        self.assertEqual(report.read_repeated(["begin 3", "begin 3", "end 3 bytes=8", "begin 4", "end 4 bytes=8"]), {3})

    def rows(self, word, *times):
        rounds = []
        for number, time in enumerate(times, 1):
            planned = list(cases.runs(number, False, [word]))
            rounds.append((planned, results(planned, time)))
        return report.collect(rounds)

    def test_twice_as_fast(self):
        rows, missing = self.rows("TCP, MSS 536", {("c", "c"): 0.2, ("ours", "ours"): 0.1},
                                  {("c", "c"): 0.2, ("ours", "ours"): 0.1})
        self.assertEqual(missing, [])
        self.assertEqual([row.wire for row in rows], ["veth", "single", "gro"])
        self.assertAlmostEqual(rows[0].c[0], 40)
        self.assertAlmostEqual(rows[0].pairs[0], 80)
        self.assertAlmostEqual(rows[0].ratio, 2)
        self.assertAlmostEqual(rows[0].spread, 0)

    def test_other_cases_say_nothing_of_vpns(self):
        planned = list(cases.runs(1, False, ["TCP, MSS 536"]))
        found = results(planned, {("c", "c"): 0.1, ("ours", "ours"): 0.1})
        self.assertEqual(report.collect_vpns([(planned, found)]), [])

    def test_a_round_trip_is_better_when_it_is_short(self):
        rows, _ = self.rows("ping, IPv6", {("c", "c"): 0.2, ("ours", "ours"): 0.1})
        self.assertAlmostEqual(rows[0].c[0], 200)
        self.assertAlmostEqual(rows[0].ratio, 2)

    def test_spread_between_rounds(self):
        rows, _ = self.rows("TCP, MSS 536", {("c", "c"): 0.1, ("ours", "ours"): 0.1},
                            {("c", "c"): 0.3, ("ours", "ours"): 0.1})
        self.assertAlmostEqual(rows[0].ratio, 2)
        self.assertAlmostEqual(rows[0].spread, 1)
        self.assertTrue(any("2.00" in line and "100.0 %" in line for line in report.table(rows)))

    def test_slower_is_said(self):
        rows, _ = self.rows("TCP, MSS 536", {("c", "c"): 0.1, ("ours", "ours"): 0.2})
        self.assertEqual(sum("worse" in line for line in report.table(rows)), 3)

    def test_mixed_pairs_are_compared_with_c(self):
        times = {("c", "c"): 0.4, ("ours", "ours"): 0.1, ("ours", "wireguarc"): 0.2, ("wireguarc", "ours"): 0.3}
        rows, _ = self.rows("UDP, 64 B", times)
        self.assertEqual({row.pair: round(row.ratio, 2) for row in rows if row.case == "UDP, 64 B"},
                         {"ours": 4.0, "ours to C": 2.0, "C to ours": 1.33})

    def test_what_is_missing_is_told(self):
        planned = list(cases.runs(1, False, ["TCP, MSS 536"]))
        found = results(planned, {("c", "c"): 0.1, ("ours", "ours"): 0.1})
        del found[0]
        rows, missing = report.collect([(planned, found)])
        self.assertEqual(len(rows), 2)
        self.assertEqual(len(missing), 1)

    @staticmethod
    def vpn_rounds(*times):
        """What comes of rounds in which a VPN takes so long."""
        rounds = []
        for number, by_vpn in enumerate(times, 1):
            planned = list(cases.runs(number, False, ["vpn"]))
            rounds.append((planned, results(planned, {(vpn, vpn): time for vpn, time in by_vpn.items()})))
        return rounds

    def test_vpns_have_a_table_without_ratios(self):
        first = {vpn: number / 10 for number, vpn in enumerate(cases.VPNS, 1)}
        second = dict(first, openvpn=0.25)
        rounds = self.vpn_rounds(first, second)
        self.assertEqual(report.collect(rounds), ([], []))
        vpns = report.collect_vpns(rounds)
        self.assertEqual(list(dict.fromkeys(row.vpn for row in vpns)), list(cases.VPNS))
        found = {(row.vpn, row.wire, row.unit): row.values for row in vpns}
        self.assertEqual(found["ours", "single", "µs"], (100, 100))
        self.assertEqual([round(value, 6) for value in found["openvpn", "gro", "Mbit/s"]], [16, 32])
        self.assertNotIn(("openvpn", "gro", "µs"), found)
        # Mbit/s, and µs where there are some: the mean of both rounds, and how far they lie apart.
        lines = [line.split() for line in report.vpn_table(vpns)]
        self.assertIn(["single", "24.00", "66.7", "%", "375.00", "66.7", "%"], [line[-7:] for line in lines])
        self.assertIn(["gro", "24.00", "66.7", "%"], lines)
        self.assertNotIn("worse", " ".join(report.vpn_table(vpns)))

    def test_a_vpn_that_failed_is_told(self):
        planned = list(cases.runs(1, False, ["vpns, ping"]))
        found = results(planned, {(vpn, vpn): 0.1 for vpn in cases.VPNS})
        del found[next(index for index, run in enumerate(planned) if run.left == "openvpn")]
        rounds = [(planned, found)]
        self.assertEqual(report.collect(rounds), ([], ["vpns, ping, single, openvpn to openvpn"]))
        self.assertEqual({row.vpn for row in report.collect_vpns(rounds)}, set(cases.VPNS) - {"openvpn"})


if __name__ == "__main__":
    unittest.main()
