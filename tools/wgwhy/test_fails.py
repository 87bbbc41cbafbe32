# SPDX-License-Identifier: GPL-2.0
"""Programs that are there and fail, and interfaces that go while it looks."""

import contextlib
import errno
import io
import os
import subprocess
import unittest
from unittest import mock

import firewall
import host
import netlink
import programs
from test_causes import Kernel, peer, wgwhy
from test_host import prints
from test_looks import NoWire


class Programs(unittest.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.multiple(
            programs, FAILED={}, SLOW=set(), has_program=lambda name: True))
        self.enterContext(mock.patch.object(host, "may_administer", lambda: True))

    def unseen(self):
        with mock.patch.object(programs, "listed", lambda *words: [{}]):
            return " ".join(note["what"] for note in wgwhy.could_not_look())

    def fails(self, stderr, look, stdout="", code=1):
        def run(words, check=False, **_):
            if check and code:
                raise subprocess.CalledProcessError(code, words, stdout, stderr)
            return subprocess.CompletedProcess(words, code, stdout, stderr)
        with mock.patch.object(subprocess, "run", run):
            look()
        return self.unseen()

    def test_what_is_said(self):
        said = self.fails("Error: JSON support not compiled-in\n", firewall.listing)
        self.assertIn("'nft -j -t list ruleset' fails (Error: JSON support not compiled-in), so rules of the "
                      "firewall were not seen", said)
        said = self.fails("tc: unrecognized option: j\nBusyBox v1.36\n", host.tc_drops)
        self.assertIn("'tc -j -s qdisc show' fails (tc: unrecognized option: j), so drops of queues", said)

    def test_what_is_no_failure(self):
        for stderr in ('Device "x" does not exist.\n', 'Cannot find device "x"\n',
                       "RTNETLINK answers: Address family not supported by protocol\nDump terminated\n"):
            self.assertEqual(self.fails(stderr, lambda: host.addresses("x")), "")
        self.assertEqual(self.fails("", host.tc_drops, code=0), "")

    def test_what_is_no_json(self):
        self.assertIn("'tc -j -s qdisc show' fails (qdisc noqueue 0)",
                      self.fails("", host.tc_drops, stdout="qdisc noqueue 0\n", code=0))

    def test_routes(self):
        with prints('[{"dev":"eth0"}]\nodd\n'):
            self.assertEqual(host.routes([("a", 0, "")] * 2), [{}, {}])
        self.assertIn("'ip -j -force -batch -' fails (odd)", self.unseen())
        programs.FAILED.clear()
        with prints('[{"dev":"eth0"}]\n', "what?\n"):
            host.routes([("a", 0, "")] * 2)
        self.assertIn("'ip -j -force -batch -' fails (what?)", self.unseen())
        programs.FAILED.clear()

        def late(*_, **__):
            raise subprocess.TimeoutExpired("ip", 60)
        with mock.patch.object(subprocess, "run", late):
            host.routes([("a", 0, "")])
        self.assertIn("ip takes too long", self.unseen())

    def test_path(self):
        for path, wanted in ("/usr/bin:/bin", "/usr/bin:/bin:/usr/sbin:/sbin"), ("/sbin:/x", "/sbin:/x:/usr/sbin"):
            with mock.patch.dict(os.environ, PATH=path):
                programs.widen_path()
                self.assertEqual(os.environ["PATH"], wanted)


class Going(unittest.TestCase):
    """wg1 goes after it was found."""

    def run_main(self, *words):
        def dump(ifname):
            if ifname == "wg1":
                raise netlink.Gone(errno.ENODEV, "no such interface")
            return Kernel([peer()], {}).dump()
        out, client = io.StringIO(), mock.Mock(dump=dump, get=lambda ifname: {"ifname": ifname})
        with mock.patch.multiple(host, has_socket=lambda port: True, tc_drops=lambda: {}, unsent=lambda: 0,
                                 unseen=lambda: [], of_wg=lambda name, what: {}, routes=lambda asked: [{} for _ in asked],
                                 allowed_ips=lambda name: {}), \
                mock.patch.multiple(wgwhy, interfaces=lambda client: ["wg0", "wg1"]), \
                mock.patch.object(netlink, "Client", lambda: client), mock.patch.object(wgwhy.wire, "Wire", NoWire), \
                mock.patch.object(wgwhy.time, "sleep", lambda seconds: None), \
                mock.patch.object(firewall, "listing", lambda: []), contextlib.redirect_stdout(out):
            return wgwhy.main(list(words)), out.getvalue()

    def test_of_all(self):
        self.assertEqual(self.run_main(), (0, "No trouble with wg0.\n"))
        self.assertEqual(self.run_main("--prometheus")[0], 0)

    def test_of_those_that_are_named(self):
        for words in ["wg1"], ["wg0", "wg1"], ["--prometheus", "wg1"]:
            with self.assertRaises(netlink.Gone):
                self.run_main(*words)

    def test_named_twice(self):
        self.assertEqual(self.run_main("wg0", "wg0"), (0, "No trouble with wg0.\n"))
        _, text = self.run_main("--prometheus", "wg0", "wg0")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(len(lines), len(set(lines)))


if __name__ == "__main__":
    unittest.main()
