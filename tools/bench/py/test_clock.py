# SPDX-License-Identifier: GPL-2.0
"""Tests of the second clock's plan and results. The static check "bench" runs them."""

import unittest

import clock


def samples(**functions):
    return {f"<{name}>" if name in ("host", "library", "vdso") else name: count
            for name, count in functions.items()}


class Plan(unittest.TestCase):
    def test_kinds_stand_next_to_each_other_and_in_turns(self):
        ends = [run.ends for run in clock.runs(2, ["ping"]) if not run.beside]
        self.assertEqual(ends, ["none", "wireguarc", "ours", "ours", "wireguarc", "none"])

    def test_what_is_beside_the_traffic_is_measured_right_before_it(self):
        found = [(run.ends, run.beside) for run in clock.runs(1, ["ping"])]
        self.assertEqual(found[:2], [("none", True), ("none", False)])

    def test_lines_are_what_the_guest_reads(self):
        lines = list(clock.plan(1, ["UDP, 64"]))
        self.assertEqual(lines[2:4], ["2 wireguarc wireguarc single 4 direct 0 stream 64 1280",
                                      "3 wireguarc wireguarc single 4 direct 0 stream 64 128000"])

    def test_words_choose_cases(self):
        self.assertEqual({run.case.name for run in clock.runs(1, ["ping"])}, {"ping"})


class Costs(unittest.TestCase):
    def test_the_host_and_the_flag_are_taken_out(self):
        found = clock.cost({"cpu": 1e6}, samples(host=20, library=5, um_set_signals=10, vdso=1, other=64))
        self.assertAlmostEqual(found.all, 1000)
        self.assertAlmostEqual(found.host, 250)
        self.assertAlmostEqual(found.flag, 100)
        self.assertAlmostEqual(found.net(), 650)

    def test_without_samples_nothing_is_taken_out(self):
        self.assertEqual(clock.cost({"cpu": 1e6}, {}), clock.Cost(1000, 0, 0))

    def test_what_is_beside_the_traffic_does_not_count(self):
        case, = (case for case in clock.CASES if case.name == "ping")
        beside = {"packets": 100.0}, clock.Cost(50, 10, 20)
        run = {"packets": 1100.0}, clock.Cost(2050, 110, 520)
        self.assertEqual(clock.per_packet(case, beside, run), clock.Cost(2, 0.1, 0.5))

    @staticmethod
    def collected(cpu, lost=()):
        """What comes of three turns in which a run takes the seconds that `cpu` has for its kind
        and turn."""
        planned = list(clock.runs(3, ["ping"]))
        results = {number: {"packets": 0.0 if run.beside else 1e6,
                            "cpu": 1e9 if run.beside else 1e9 * (1 + cpu[run.ends][run.turn])}
                   for number, run in enumerate(planned) if number not in lost}
        return clock.collect(planned, results, lambda number: samples(host=1, other=3))

    def test_medians_and_ratios_of_each_turn(self):
        costs, missing = self.collected({"none": (1, 1, 1), "wireguarc": (4, 6, 8), "ours": (2, 2, 8)})
        self.assertEqual(missing, [])
        by_ends, = costs.values()
        self.assertAlmostEqual(clock.median(by_ends["wireguarc"], lambda one: one.all), 6)
        self.assertEqual([round(ratio, 6) for ratio in clock.ratios(by_ends, lambda one: one.all)], [2, 3, 1])
        line = list(clock.table(costs))[1].split()
        # All of it, then what is left without User Mode Linux: ratios of the medians, and how far
        # the turns lie apart.
        self.assertEqual(line[:15], ["ping", "single", "0.75", "6.00", "2.00", "3.00", "1.00", "…", "3.00",
                                     "4.50", "1.50", "3.00", "1.00", "…", "3.00"])
        self.assertEqual(line[15:], ["0%,", "25%", "/", "0%,", "25%"])

    def test_where_the_time_goes(self):
        planned = [run for run in clock.runs(2, ["ping"]) if run.ends != "none"]
        results = {number: {"packets": 1000.0, "cpu": 1e6} for number in range(len(planned))}
        by_ends = {"ours": samples(host=1, other=3), "wireguarc": samples(other=1)}
        found = list(clock.where(planned, results, lambda number: by_ends[planned[number].ends]))
        self.assertEqual([line.split() for line in found[1:]],
                         [["0", "1000", "750", "other"], ["0", "0", "250", "<host>"]])

    def test_what_is_missing_is_named(self):
        costs, missing = self.collected(
            {"none": (1, 1, 1), "wireguarc": (4, 6, 8), "ours": (2, 2, 8)}, lost=(2, 5))
        self.assertEqual(missing, ["ping, single, wireguarc, turn 1", "ping, single, ours, turn 1"])
        by_ends, = costs.values()
        self.assertEqual([round(ratio, 6) for ratio in clock.ratios(by_ends, lambda one: one.all)], [3, 1])


if __name__ == "__main__":
    unittest.main()
