# SPDX-License-Identifier: GPL-2.0
"""What the programs of the host print, what the family sends, and what the program says without
them."""

import contextlib
import io
import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import causes
import firewall
import host
import netlink
import programs
import prometheus
import schema
import seen
import signed
from test_causes import KEY, OUTSIDE, Case, Kernel, peer, refusals, rule, udp, wgwhy


def prints(stdout, stderr="", code=0):
    """A program that prints this, or fails."""
    def run(words, check=False, **_):
        if check and code:
            raise subprocess.CalledProcessError(code, words)
        return subprocess.CompletedProcess(words, code, stdout, stderr)
    return mock.patch.object(subprocess, "run", run)


def absent(*_, **__):
    raise FileNotFoundError


class Programs(unittest.TestCase):
    def test_routes(self):
        out = '[{"dst":"10.0.0.2","dev":"eth0"}]\n[{"type":"unreachable","dst":"10.0.0.4","dev":"lo"}]\n'
        err = "RTNETLINK answers: Network is unreachable\nCommand failed -:1\n" \
              "RTNETLINK answers: Invalid argument\nCommand failed -:3\n" \
              "Cannot find device \"nope\"\nCommand failed -:5\n"
        with prints(out, err, 1):
            self.assertEqual(host.routes([("a", 0, "")] * 5),
                             ["network is unreachable", {"dst": "10.0.0.2", "dev": "eth0"}, "a blackhole route",
                              "a route of the type unreachable", {}])

    def test_without_a_usable_ip(self):
        for broken in (prints("", "ip: unrecognized option: j\nUsage: ip …\n", 1), prints("eth0: up\n"),
                       mock.patch.object(subprocess, "run", absent)):
            with broken:
                self.assertEqual(host.routes([("10.0.0.2", 0, "")]), [{}])
                self.assertIsNone(host.addresses("wg0"))
                self.assertIsNone(host.routes_into("wg0"))
                host.link.cache_clear()
                self.assertEqual(host.link("wg0"), {})

    def test_routes_into(self):
        with prints('[{"dst":"default"},{"type":"local","dst":"10.1.0.1"},{"dst":"10.1.0.0/24"}]'):
            self.assertEqual([str(found) for found in host.routes_into("wg0")[:2]], ["0.0.0.0/0", "10.1.0.0/24"])
        with prints("[ ]"):
            self.assertEqual(host.routes_into("wg0"), [])

    def test_a_device_is_looked_at_once(self):
        calls = []
        host.link.cache_clear()
        with mock.patch.object(programs, "run", lambda *words: calls.append(words) or '[{"mtu":7}]'):
            self.assertEqual([host.link("wg0")["mtu"] for _ in range(9)], [7] * 9)
        host.link.cache_clear()
        self.assertEqual(len(calls), 1)

    def test_sockets(self):
        head = "  sl  local_address rem_address   st\n"
        line = "  0: 00000000:CA6D 00000000:0000 07\n"
        with mock.patch.object(host, "read", lambda name: head + line * name.endswith("udp")):
            self.assertTrue(host.has_socket(0xCA6D))
            self.assertFalse(host.has_socket(7))
        with mock.patch.object(host, "read", lambda name: ""):
            self.assertTrue(host.has_socket(7))

    def test_counters(self):
        texts = {"/proc/net/snmp": "Ip: Forwarding InAddrErrors\nIp: 2 5\n",
                 "/proc/net/dev_snmp6/wg0": "Ip6InReceives 4\nIp6InAddrErrors                 \t6\n"}
        with mock.patch.object(host, "read", lambda name: texts.get(name, "")):
            self.assertEqual(host.bad_addresses("wg0"), (5, 6))
            self.assertEqual(host.bad_addresses("wg1"), (5, 0))

    def test_reverse_path(self):
        with mock.patch.object(host, "sysctl", lambda name: 1):
            for count, wanted in ((0, False), (3, True)):
                text = f"TcpExt: A IPReversePathFilter\nTcpExt: 1 {count}\n"
                with mock.patch.object(host, "read", lambda name, text=text: text):
                    self.assertEqual(host.reverse_path("wg0"), wanted)


TO_7 = firewall.Flow("input", None, 7)


class Firewall(unittest.TestCase):
    def test_ports(self):
        for right, wanted in ((7, True), (8, False), ({"range": [5, 9]}, True), ({"set": [1, {"range": [6, 7]}]}, True),
                              ({"set": [1, 2]}, False), ("@ports", None), ({"set": [1, "http"]}, None)):
            self.assertEqual(firewall.covers(right, 7), wanted, right)

    def test_rules_that_count(self):
        self.assertEqual(firewall.drops([rule(udp("dport", 7), verdict="accept")]), {})
        silent = rule(udp("dport", 7))
        del silent["rule"]["expr"][1]
        self.assertEqual(firewall.drops([silent]), {})
        (drop,) = firewall.drops([rule(udp("dport", 7), count=2)]).values()
        self.assertEqual((drop.count, drop.has(7), drop.has(8)), (2, True, False))
        other = udp("dport", 7)
        other["match"]["op"] = "!="
        (drop,) = firewall.drops([rule(other, count=2)]).values()
        self.assertFalse(drop.has(7))

    def test_what_opens(self):
        def meta(key, right, kind="meta"):
            return {"match": {"op": "==", "left": {kind: {"key": key}}, "right": right}}
        tcp = udp("dport", 7)
        tcp["match"]["left"]["payload"]["protocol"] = "tcp"
        for parts, wanted in (([], True), ([udp("dport", 7)], True), ([udp("dport", 8)], False), ([tcp], False),
                              ([udp("dport", "@ports")], True), ([meta("l4proto", "udp")], True),
                              ([meta("l4proto", {"set": ["icmp", "tcp"]})], False), ([meta("iifname", "lo")], False),
                              ([meta("state", {"set": ["established", "related"]}, "ct")], False)):
            self.assertEqual(firewall.admits(rule(*parts, verdict="accept")["rule"], TO_7), wanted, parts)


    def test_what_nft_prints_as_text(self):
        wordy = rule(udp("dport", 7), count=2)
        wordy["rule"]["expr"].insert(0, "xt match recent")
        (drop,) = firewall.drops([wordy]).values()
        self.assertTrue(drop.has(7))
        self.assertTrue(firewall.admits(rule("xt match recent", verdict="accept")["rule"], TO_7))
        named = rule({"vmap": {"key": udp("dport", 7)["match"]["left"], "data": "@ports"}}, verdict="continue")
        self.assertTrue(firewall.admits(named["rule"], TO_7))

    def test_addresses_and_devices(self):
        def match(left, right):
            return {"match": {"op": "==", "left": left, "right": right}}
        address = {"payload": {"protocol": "ip", "field": "daddr"}}
        for right, wanted in (("10.0.0.2", True), ("10.0.0.3", False), ({"set": ["10.0.0.1", "10.0.0.2"]}, True),
                              ({"prefix": {"addr": "10.0.0.0", "len": 24}}, True), ("@hosts", False)):
            (drop,) = firewall.drops([rule(match(address, right), count=1)]).values()
            self.assertEqual(drop.is_of(ipaddress.ip_address("10.0.0.2"), 7), wanted, right)
        for right, wanted in (("wg0", True), ("wg*", True), ({"set": ["eth0", "wg0"]}, True), ("eth0", False)):
            (drop,) = firewall.drops([rule(match({"meta": {"key": "iifname"}}, right), count=1)]).values()
            self.assertEqual(drop.names("wg0"), wanted, right)


class Setups(Case):
    """Healthy tunnels of many kinds, and notes where it need not be a trouble."""

    def test_groups_and_link_local_prefixes(self):
        self.allow("fe80::2/128", "224.0.0.5/32", "192.168.7.2/32")
        self.route = lambda address, mark, device: {"dev": "wg0" if address.startswith("192") else "eth0"}
        self.assertEqual(self.causes(peer(state="unused")), [])

    def test_own_network_in_a_wider_prefix(self):
        self.allow("192.0.0.0/8")
        self.route = lambda address, mark, device: {"dev": "eth0" if address == "192.0.0.1" else "wg0"}
        self.assertEqual(self.causes(peer(state="unused")), [])

    def test_routes_that_rules_choose(self):
        self.route = lambda address, mark, device: {"dev": "eth0"}
        self.assertEqual(self.causes(peer(state="unused")), ["no-route-inside"])
        self.host["ruled_routes"] = lambda name: [ipaddress.ip_network("192.168.7.0/24")]
        self.assertEqual(self.causes(peer(state="unused")), [])

    def test_broadcasts(self):
        more = {"refusal": refusals("tx-no-peer"), "refused_destination": bytes([192, 168, 7, 255])}
        self.assertEqual(self.causes(peer(), **more), [])
        more["refused_destination"] = bytes([192, 168, 7, 9])
        self.assertEqual(self.causes(peer(), **more), ["no-peer-for-destination"])

    def test_preshared_key_under_a_session(self):
        wrong = peer(refusal=refusals("rx-response-bad"), attempt=4, attempts_age=20000, staged=1)
        self.finds("preshared-key", wrong)

    def test_who_left_comes_again(self):
        away = peer(state="given-up", attempt=20, attempts_age=90000, endpoint_source="data")
        self.finds("unanswered?", away)
        self.finds("unanswered", peer(state="given-up", attempt=20, attempts_age=90000))

    def test_router_solicitations(self):
        asks = peer(refusal=refusals("rx-inner-bad-source", count=1), refused_source=bytes.fromhex("fe80" + "00" * 13 + "01"))
        self.assertEqual(self.causes(asks), [])

    def test_duplicates_of_the_first_datagram(self):
        twice = refusals("rx-initiation-replayed", count=9, age=5000)
        self.assertNotIn("clock", self.causes(peer(refusal=twice, session_age=5100)))
        self.assertIn("clock", self.causes(peer(refusal=twice, session_age=90000)))


class Program(unittest.TestCase):
    def setUp(self):
        self.stock = {"endpoints": {"KEY": "10.0.0.2:7"}, "latest-handshakes": {"KEY": "0"},
                      "transfer": {"KEY": "148"}, "allowed-ips": {}}
        # The columns of "wg show wg0 transfer", at each look.
        self.transfers = iter(())
        self.is_readable = self.has_wg = True

    def run_main(self, *words, ours=False, names=("wg0",), is_loaded=True):
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.object(netlink, "Client", mock.Mock(side_effect=netlink.Missing)), \
                mock.patch.multiple(host, module_is_ours=lambda: ours, has_module=lambda: is_loaded, of_wg=lambda name, what: self.stock[what],
                                    transfer=lambda name: next(self.transfers, {}), interfaces_elsewhere=lambda: [],
                                    configured=lambda: ["office"] if not names else [],
                                    link=lambda name: {}), \
                mock.patch.multiple(programs, has_program=lambda name: self.has_wg, run=lambda *words:
                                    "" if "listen-port" in words and not self.is_readable else " ".join(names)), \
                mock.patch.object(wgwhy.time, "sleep", lambda seconds: None), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = wgwhy.main(list(words))
        return status, out.getvalue(), err.getvalue()

    def test_c_module(self):
        status, out, _ = self.run_main()
        self.assertEqual(status, 1)
        self.assertIn("the kernel's own C module", out)
        self.assertNotIn("is down", out)

    def test_c_module_unused(self):
        self.stock["transfer"] = {"KEY": "0"}
        self.assertEqual(self.run_main()[0], 0)

    def test_c_module_dead_after_a_handshake(self):
        for age, later, wanted in ((200, (5, 9), 1), (100, (5, 9), 0), (200, (6, 9), 0), (200, (5, 7), 0)):
            self.stock["latest-handshakes"] = {"KEY": str(int(time.time()) - age)}
            self.transfers = iter([{"KEY": (5, 7)}, {"KEY": later}])
            status, out, _ = self.run_main()
            self.assertEqual((status, "nothing comes back" in out), (wanted, bool(wanted)), out)

    def test_c_module_no_interface(self):
        status, out, _ = self.run_main(names=())
        self.assertEqual(status, 1)
        self.assertIn("/etc/wireguard has office.conf", out)

    def test_c_module_unreadable(self):
        self.is_readable = False
        with self.assertRaises(OSError):
            self.run_main()

    def test_c_module_without_wg(self):
        self.has_wg = False
        with self.assertRaises(OSError):
            self.run_main()

    def test_c_module_for_programs(self):
        status, out, _ = self.run_main("--json")
        self.assertEqual([trouble["cause"] for trouble in json.loads(out)], ["c-module", "no-handshake"])
        self.assertEqual(status, 1)
        for option in "--prometheus", "--watch":
            status, out, err = self.run_main(option)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("the kernel's own C module", err)

    def test_module_not_known(self):
        self.assertIn("one without wireguard-diag", self.run_main(ours=None)[1])
        for words in (), ("wg0",):
            self.assertIn("is not loaded", self.run_main(*words, ours=None, names=(), is_loaded=False)[1])

    def test_no_module(self):
        texts = {"modinfo -n wireguard": "/lib/modules/r/updates/dkms/wireguard.ko\n",
                 "modinfo -F signer wireguard": "DKMS module signing key\n"}
        ours = "1f2e I--- 1 perm 1f030000 0 0 asymmetri DKMS module signing key: 6ccece7e X509.rsa 7e []\n"
        for is_secure, keys, words in ((False, "", "modprobe wireguard"), (True, "", "its key is not enrolled"),
                                       (True, ours.replace("DKMS", "Debian"), "mokutil --import"),
                                       (True, ours, "modprobe wireguard")):
            with mock.patch.object(programs, "run", lambda *words: texts.get(" ".join(words), "")), \
                    mock.patch.object(signed, "is_secure", lambda is_secure=is_secure: is_secure), \
                    mock.patch.multiple(host, has_module=lambda: False, read=lambda name, keys=keys: keys):
                (trouble,) = wgwhy.without_family([])
            self.assertIn("/lib/modules/r/updates/dkms/wireguard.ko is there, signed by DKMS module signing key",
                          wgwhy.text(trouble))
            self.assertIn(words, wgwhy.text(trouble))

    def test_secure_boot(self):
        with tempfile.TemporaryDirectory() as folder:
            for data, setting, wanted in ((bytes([6, 0, 0, 0, 1]), "", True), (bytes(5), "", False), (b"", "", False),
                                          (bytes(5), "Y\n", True)):
                (pathlib.Path(folder) / "SecureBoot-8be4").write_bytes(data)
                with mock.patch.object(signed, "EFI", folder), \
                        mock.patch.object(host, "read", lambda name, setting=setting: setting):
                    self.assertEqual(signed.is_secure(), wanted)

    def test_user_space(self):
        status, out, _ = self.run_main(ours=None, is_loaded=False)
        self.assertEqual(status, 1)
        self.assertIn("by a program in user space", out)
        self.assertIn("there was no handshake yet", out)
        self.stock["transfer"] = {"KEY": "0"}
        status, out, _ = self.run_main("--json", ours=None, is_loaded=False)
        self.assertEqual((status, [one["cause"] for one in json.loads(out)]), (0, ["other-module"]))

    def test_interfaces(self):
        def get(ifname):
            if ifname != "wg0":
                raise netlink.Refused(95, "this interface is none of WireGuard")
        with mock.patch.object(wgwhy.socket, "if_nameindex", lambda: [(1, "lo"), (2, "wg0")]):
            self.assertEqual(wgwhy.interfaces(mock.Mock(get=get)), ["wg0"])

    def test_notes(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = wgwhy.show([{"interface": "wg0", "cause": "x", "what": "w", "try": "t", "note": True}], ["wg0"],
                                False)
        self.assertEqual((status, out.getvalue()), (0, "wg0: note: w.\n  Try: t.\nNo trouble with wg0.\n"))


class Figures(unittest.TestCase):
    def test_the_last_handshake(self):
        kernel = Kernel([peer(last_handshake=700)], {})
        for stock, wanted in (({host.key_text(KEY): "1000"}, 1000), ({}, 4999)):
            with mock.patch.object(host, "of_wg", lambda name, what, stock=stock: stock), \
                    mock.patch.object(seen.time, "time", lambda: 5000.5):
                text = prometheus.text([seen.Seen(kernel, "wg0")])
            self.assertRegex(text, rf"wireguard_latest_handshake_seconds{{.*}} {wanted}\n")


class ManyPeers(unittest.TestCase):
    def test_programs_are_called_once(self):
        calls = []
        peers = [peer(public_key=number.to_bytes(32, "big")) for number in range(1000)]
        prefixes = {host.key_text(one["public-key"]): [f"192.168.{number >> 8}.{number & 255}/32"]
                    for number, one in enumerate(peers)}
        with mock.patch.object(programs, "run", lambda *words: calls.append(words) or ""), \
                mock.patch.multiple(host, allowed_ips=lambda name: prefixes,
                                 routes=lambda asked: calls.append(asked) or [{} for _ in asked]):
            seen.Seen(Kernel(peers, {}), "wg0", (), seen.Seen(Kernel(peers, {}), "wg0")).troubles()
        self.assertLess(len(calls), 10, calls[:10])


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
        for module in causes, *seen.MODULES:
            text = pathlib.Path(module.__file__).read_text(encoding="utf-8")
            for word in ("rx-", "tx-"):
                for part in text.split(f'"{word}')[1:]:
                    self.assertIn(word + part.split('"')[0], known)
        self.assertLess(set(causes.ODD), set(schema.REASONS))

    def test_byte_order(self):
        for order in "little", "big":
            with mock.patch.object(netlink.sys, "byteorder", order):
                number = (5).to_bytes(4, order)
                self.assertEqual(netlink.value_of("u32", "", number), 5)
                self.assertIn(number, netlink.encode("interface", {"fwmark": 5}))


class Installed(unittest.TestCase):
    """The program as it is installed: an archive."""

    def test_clock(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(__file__).parents[1] / "build/wgwhy.sh"
            subprocess.run([script, "install", folder], check=True, capture_output=True)
            (program,) = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
            code = "import sys; sys.path.insert(0, sys.argv[1]); import host; print(host.is_clock_behind())"
            for age, behind in ((-1000, "True"), (1000, "False")):
                os.utime(program, (time.time() - age,) * 2)
                done = subprocess.run([sys.executable, "-c", code, program], check=True, text=True,
                                      capture_output=True)
                self.assertEqual(done.stdout.strip(), behind)


if __name__ == "__main__":
    unittest.main()
