# SPDX-License-Identifier: GPL-2.0
"""What the host shows beside the kernel module: routes, devices, settings, firewall, sockets."""

import base64
import ipaddress
import json
import pathlib
import re
import subprocess
import time

# Seconds that clocks may differ by without a trouble.
CLOCK_SLACK = 5

IPV4_OVERHEAD, IPV6_OVERHEAD = 60, 80


def run(*words):
    """What a program prints, or nothing where it fails or is not there."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def listed(*words):
    """What a program prints as JSON."""
    try:
        return json.loads(run(*words) or "[]")
    except ValueError:
        return []


def sysctl(name):
    """A number in /proc/sys, or 0."""
    try:
        return int(pathlib.Path("/proc/sys", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def is_clock_behind():
    """Whether the clock is at a time before this program came to this machine."""
    here = pathlib.Path(__file__)
    # Installed, it lies in an archive, which is a file.
    installed = here if here.exists() else here.parent
    return time.time() < installed.stat().st_mtime - CLOCK_SLACK


def interfaces():
    """The interfaces of WireGuard in this network namespace."""
    return [link["ifname"] for link in listed("ip", "-j", "link", "show", "type", "wireguard")
            if "ifname" in link]


def link(name):
    found = listed("ip", "-j", "link", "show", "dev", name)
    return found[0] if found else {}


def addresses(name):
    found = listed("ip", "-j", "addr", "show", "dev", name)
    return [entry["local"] for entry in found[0].get("addr_info", [])] if found else []


def route(address, mark=0):
    """The route to an address: a dictionary with "dev", or a word why there is none."""
    words = ["ip", "-j", "route", "get", str(address)]
    if mark:
        words += ["mark", str(mark)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    if done.returncode:
        return done.stderr.strip().removeprefix("RTNETLINK answers: ").lower() or "no route"
    found = json.loads(done.stdout or "[]")
    if found and found[0].get("type") in ("unreachable", "prohibit", "blackhole"):
        return f"a route of the type {found[0]['type']}"
    return found[0] if found else {}


def path_mtu(found):
    """The MTU of a route."""
    for metrics in found.get("metrics", []):
        if "mtu" in metrics:
            return metrics["mtu"]
    return link(found["dev"]).get("mtu", 0) if "dev" in found else 0


def overhead(address):
    return IPV6_OVERHEAD if ipaddress.ip_address(address).version == 6 else IPV4_OVERHEAD


def of_wg(name, what):
    """What "wg show NAME WHAT" says, by key; without the program or without privilege nothing."""
    lines = (line.split("\t") for line in run("wg", "show", name, what).splitlines())
    return {words[0]: words[1] if len(words) > 1 else "" for words in lines}


def allowed_ips(name):
    return {key: [] if text == "(none)" else text.split()
            for key, text in of_wg(name, "allowed-ips").items()}


def key_text(key):
    return base64.b64encode(key).decode()


def reverse_path(name):
    """Whether packets from a device must come from where the route to their source leads."""
    values = [sysctl(f"net/ipv4/conf/{part}/rp_filter") for part in ("all", name)]
    return max(values) == 1


def listeners(port):
    """The lines of ss for the UDP sockets at a port, those of the kernel left out."""
    return [line for line in run("ss", "-Hlunp", f"sport = {port}").splitlines() if "users:" in line]


def bad_addresses():
    """How many packets the stack could not forward because it is not allowed to, or knew no route."""
    try:
        text = pathlib.Path("/proc/net/snmp").read_text(encoding="ascii")
    except OSError:
        return 0
    names, values = (line.split() for line in text.splitlines() if line.startswith("Ip:"))
    return int(dict(zip(names, values)).get("InAddrErrors", 0))


def blocking_rules(port, remote_port):
    """Rules of nftables that drop UDP of one of these ports and have counted something."""
    found = []
    for entry in (listed("nft", "-j", "list", "ruleset") or {"nftables": []})["nftables"]:
        rule = entry.get("rule")
        if not rule:
            continue
        text = json.dumps(rule["expr"])
        if not re.search(r'"(drop|reject)"', text):
            continue
        counts = re.findall(r'"packets": (\d+)', text)
        ports = re.findall(r'"field": "[sd]port"}}, "right": (\d+)', text)
        if any(map(int, counts)) and {str(port), str(remote_port)} & set(ports):
            found.append((f"{rule['family']} {rule['table']} {rule['chain']}", int(counts[0])))
    return found


def module_is_ours():
    """Whether the loaded module is this one: the C module is part of the kernel's build."""
    try:
        taint = pathlib.Path("/sys/module/wireguard/taint").read_text(encoding="ascii")
    except OSError:
        return None
    return "O" in taint
