# SPDX-License-Identifier: GPL-2.0
"""What the host shows beside the kernel module: routes, devices, settings, sockets."""

import base64
import ctypes
import functools
import ipaddress
import json
import pathlib
import re
import subprocess
import sys
import time
import typing

import programs
import stock

# Seconds that clocks may differ by without a trouble.
CLOCK_SLACK = 5

IPV4_OVERHEAD, IPV6_OVERHEAD = 60, 80

# What "ip route get" says of routes of these types.
TYPES = {"invalid argument": "a blackhole route", "permission denied": "a prohibiting route"}

CAP_NET_ADMIN = 12

STA_UNSYNC = 0x40

# Kinds of devices whose packets leave by others, unchanged.
CARRIERS = ("bridge", "bond", "team", "vlan", "vrf")

# How many namespaces are looked at.
SPACES = 64


def unseen():
    """Yields what cannot be looked at on this host, and why, as far as that is known."""
    for program, what in programs.PROGRAMS.items():
        if not programs.has_program(program):
            yield what, f"{program} is not here"
        elif program in programs.SLOW:
            yield what, f"{program} takes too long"
        failed = [f"'{' '.join(words)}' fails ({text})" for words, text in programs.FAILED.items() if words[0] == program]
        if failed:
            yield what, "; ".join(failed[:3])
    if programs.has_program("ip") and programs.listed("ip", "-j", "link", "show", "dev", "lo") is None:
        yield programs.PROGRAMS["ip"], "ip is another program than that of iproute2"
    if not may_administer():
        yield programs.PROGRAMS["nft"], "it takes root"


def may_administer():
    """Whether this program has CAP_NET_ADMIN; also if that is not known."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", read("/proc/self/status"), re.MULTILINE)
    return not found or bool(int(found[1], 16) >> CAP_NET_ADMIN & 1)


def read(name):
    """The text of a file of the kernel, or nothing."""
    try:
        return pathlib.Path(name).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def sysctl(name):
    """A number in /proc/sys, or 0."""
    try:
        return int(read(f"/proc/sys/{name}"))
    except ValueError:
        return 0


def is_clock_unsynchronized():
    """Whether the kernel knows of nobody who sets the clock; not where that is not known."""
    # A structure timex that sets nothing; its flags follow four words and an int.
    word = ctypes.sizeof(ctypes.c_long)
    data = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None).adjtimex(data)
    except (OSError, AttributeError):
        return False
    return state >= 0 and bool(int.from_bytes(data.raw[5 * word:5 * word + 4], sys.byteorder) & STA_UNSYNC)


def is_clock_behind():
    """Whether the clock is at a time before this program came to this machine."""
    here = pathlib.Path(__file__)
    # Installed, it lies in an archive, which is a file.
    installed = here if here.exists() else here.parent
    return time.time() < installed.stat().st_mtime - CLOCK_SLACK


@functools.lru_cache(maxsize=None)
def link(name):
    """What is known of a device; nothing without a usable "ip"."""
    found = programs.listed("ip", "-j", "link", "show", "dev", name)
    return found[0] if found else {}


@functools.lru_cache(maxsize=None)
def kind(name):
    """What a virtual device is, like "bridge"."""
    found = programs.listed("ip", "-j", "-d", "link", "show", "dev", name)
    return found[0].get("linkinfo", {}).get("info_kind", "") if found else ""


def vrf_of(name):
    """The VRF that a device belongs to, or is; nothing if it is in none."""
    for one in (name, link(name).get("master", "")):
        if one and kind(one) == "vrf":
            return one
    return ""


@functools.lru_cache(maxsize=None)
def lowers(name):
    """The devices that a device hands its packets to, as they are."""
    if kind(name) not in CARRIERS:
        return []
    return sorted(path.name.removeprefix("lower_") for path in
                  pathlib.Path(f"/sys/class/net/{name}").glob("lower_*"))


def addresses(name):
    """The addresses of a device; None where that is not known."""
    found = programs.listed("ip", "-j", "addr", "show", "dev", name)
    return [entry["local"] for entry in found[0].get("addr_info", []) if "local" in entry] \
        if found else None


def own_networks(name):
    """The networks of the addresses of a device."""
    found = programs.listed("ip", "-j", "addr", "show", "dev", name)
    return [network for entry in (found[0].get("addr_info", []) if found else [])
            for network in [network_of(f"{entry.get('local')}/{entry.get('prefixlen')}")] if network]


def all_addresses():
    """The addresses of all devices."""
    return [entry["local"] for found in programs.listed("ip", "-j", "addr") or []
            for entry in found.get("addr_info", []) if isinstance(entry, dict) and "local" in entry]


class Way(typing.NamedTuple):
    """What to ask for a route: with ports, that of a datagram between them."""

    address: str
    mark: int = 0
    device: str = ""
    sport: int = 0
    dport: int = 0
    # Whether to ask for the entry of the table instead, with all its next hops.
    is_entry: bool = False
    source: str = ""

    def words(self):
        ports = f" ipproto udp sport {self.sport} dport {self.dport}" if self.sport and self.dport else ""
        return (f"route get {'fibmatch ' if self.is_entry else ''}{self.address}"
                f"{f' from {self.source}' if self.source else ''}{ports}"
                f"{f' mark {self.mark}' if self.mark else ''}"
                f"{f' oif {self.device}' if self.device else ''}")


def routes(asked):
    """The route for each Way: a dictionary with "dev", or why there is none.

    The dictionary is empty where that is not known, as "ip" is not there or says something else.
    """
    if not asked:
        return []
    lines = "".join(f"{Way(*way).words()}\n" for way in asked)
    words = ("ip", "-j", "-force", "-batch", "-")
    try:
        done = subprocess.run(words, input=lines, text=True,
                              errors="replace", capture_output=True, timeout=60, check=False)
        found = [json_of(words, line) for line in done.stdout.splitlines() if line.strip()]
    except subprocess.TimeoutExpired:
        programs.SLOW.add("ip")
        return [{} for _ in asked]
    except (OSError, ValueError, subprocess.SubprocessError):
        return [{} for _ in asked]
    refused = {int(number) - 1: why.strip()
               for why, number in re.findall(r"(.*)\nCommand failed -:(\d+)", done.stderr)}
    if len(found) + len(refused) != len(asked):
        programs.note_failure(words, done.stderr)
        return [{} for _ in asked]
    good = iter(found)
    return [no_route(refused[number]) if number in refused else one_route(next(good))
            for number in range(len(asked))]


def json_of(words, line):
    try:
        return json.loads(line)
    except ValueError:
        programs.note_failure(words, line)
        raise


def no_route(why):
    said = why.removeprefix("RTNETLINK answers: ")
    return {} if said == why else TYPES.get(said.lower(), said.lower())


def one_route(found):
    if not found or not isinstance(found, list) or not isinstance(found[0], dict):
        return {}
    if found[0].get("type") in ("unreachable", "prohibit", "blackhole"):
        return f"a route of the type {found[0]['type']}"
    return found[0]


@functools.lru_cache(maxsize=None)
def neighbour(address, device):
    """What is known of a next hop on a link: words like REACHABLE and FAILED, or nothing."""
    found = programs.listed("ip", "-j", "neigh", "show", "to", address, "dev", device)
    return found[0].get("state", []) if found else []


def tc_drops():
    """How many packets tc has dropped by intent: {(device, kind): count}.

    Other queues drop when they are full, and that is no trouble.
    """
    return {(entry.get("dev"), entry["kind"]): entry["drops"]
            for entry in programs.listed("tc", "-j", "-s", "qdisc", "show") or []
            if entry.get("kind") in ("clsact", "ingress", "netem") and entry.get("drops")}


def ruled_tables():
    """The routing tables that a rule leads to; None where that is not known or VRFs do it."""
    found = [programs.listed("ip", family, "-j", "rule") for family in ("-4", "-6")]
    if found[0] is None or "l3mdev" in json.dumps(found):
        return None
    return {entry.get("table") for entries in found for entry in entries or []}


def default_devices():
    """The devices of the default routes."""
    return [entry.get("dev") for family in ("-4", "-6")
            for entry in programs.listed("ip", family, "-j", "route", "show", "default") or []]


def has_source_rules():
    """Whether rules choose routes by the source."""
    return any(entry.get("src", "all") != "all" for family in ("-4", "-6")
               for entry in programs.listed("ip", family, "-j", "rule") or [])


def tracked(port):
    """{(address, port): source} of the datagrams of a port that the firewall knows."""
    found = re.findall(rf"\bsrc=(\S+) dst=(\S+) sport={port} dport=(\d+)\b", read("/proc/net/nf_conntrack"))
    return {(str(ipaddress.ip_address(there)), int(dport)): str(ipaddress.ip_address(source))
            for source, there, dport in found}


def has_ipv6():
    """Whether the kernel has IPv6; it may be off at a device."""
    return pathlib.Path("/proc/net/if_inet6").exists()


def ipv6_is_off(name):
    return not has_ipv6() or sysctl(f"net/ipv6/conf/{name}/disable_ipv6") == 1


def tables_into(name):
    """(network, table) of the routes into a device; None where that is not known."""
    found = []
    for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        entries = programs.listed("ip", family, "-j", "route", "show", "table", "all", "dev", name)
        if entries is None and family == "-4":
            return None
        for entry in entries or []:
            if "dst" in entry and entry.get("type", "unicast") == "unicast":
                network = network_of(default if entry["dst"] == "default" else entry["dst"])
                if network:
                    found.append((network, entry.get("table", "main")))
    return found


def network_of(text):
    """The network that a program prints; None if it is none."""
    try:
        return ipaddress.ip_network(text, False)
    except ValueError:
        return None


def routes_into(name):
    """The networks with a route into a device; None where that is not known."""
    found = tables_into(name)
    return None if found is None else [network for network, _ in found]


def ruled_routes(name):
    """Those of them in tables that only a rule or a VRF leads to."""
    tables = ruled_tables()
    return [network for network, table in tables_into(name) or []
            if table not in ("main", "local") and (tables is None or table in tables)]


def main_routes(name):
    """Those of them in the table that nobody needs to lead to."""
    return [network for network, table in tables_into(name) or [] if table == "main"]


def path_mtu(found):
    """The MTU of a route."""
    for metrics in found.get("metrics", []):
        if "mtu" in metrics:
            return metrics["mtu"]
    return link(found["dev"]).get("mtu", 0) if "dev" in found else 0


def overhead(address):
    return IPV6_OVERHEAD if ipaddress.ip_address(address).version == 6 else IPV4_OVERHEAD


def of_wg(name, what):
    """The last column of "wg show NAME WHAT", by key; without the program or without privilege
    nothing."""
    lines = (line.split("\t") for line in programs.run("wg", "show", name, what).splitlines())
    return {words[0]: words[-1] if len(words) > 1 else "" for words in lines}


def transfer(name):
    """(bytes that came, bytes that were sent) of each peer, by key."""
    lines = (line.split("\t") for line in programs.run("wg", "show", name, "transfer").splitlines())
    return {words[0]: (int(words[1]), int(words[2])) for words in lines
            if len(words) == 3 and words[1].isdigit() and words[2].isdigit()}


def allowed_ips(name):
    """The allowed IPs of each peer, by key; without privilege nothing."""
    return {key_text(key): found for key, found in stock.allowed_ips(name).items()}


def key_text(key):
    return base64.b64encode(key).decode()


def reverse_path(name):
    """Whether the stack drops packets from a device that the route to their source does not use."""
    return is_strict(name) and counter("/proc/net/netstat", "TcpExt", "IPReversePathFilter") > 0


def is_strict(name):
    """Whether a device takes only what its own routes lead back to."""
    return max(sysctl(f"net/ipv4/conf/{part}/rp_filter") for part in ("all", name)) == 1


def listeners(port):
    """The lines of ss for the UDP sockets at a port; those of programs have "users:"."""
    return programs.run("ss", "-Hlunp", f"sport = {port}").splitlines()


def bound_to(name):
    """The programs, as ss shows them, with a socket that is bound to a device."""
    return sorted({(line.split("users:") + ["a program"])[1] for line in programs.run("ss", "-Hnaptu").splitlines()
                   if f"%{name}:" in line})


def has_socket(port):
    """Whether a UDP socket at a port is in this namespace: an interface's is where it was made."""
    lines = [line for name in ("udp", "udp6") for line in read(f"/proc/net/{name}").splitlines()]
    found = [line.split()[1].rsplit(":", 1) for line in lines if ":" in line]
    return not lines or any(int(words[-1], 16) == port for words in found)


def counter(name, group, field):
    """A counter of the stack, or 0."""
    lines = [line.split() for line in read(name).splitlines() if line.startswith(f"{group}:")]
    return int(dict(zip(*lines)).get(field, 0)) if len(lines) == 2 else 0


def bad_addresses(name):
    """How many packets of IPv4, and of IPv6 from a device, the stack was not allowed to forward."""
    six = re.search(r"^Ip6InAddrErrors\s+(\d+)", read(f"/proc/net/dev_snmp6/{name}"), re.MULTILINE)
    return counter("/proc/net/snmp", "Ip", "InAddrErrors"), int(six[1]) if six else 0


def unsent():
    """How many packets were to be sent or forwarded and did not leave; 0 where that is unknown."""
    six = dict(line.split() for line in read("/proc/net/snmp6").splitlines())
    four = {field: counter("/proc/net/snmp", "Ip", field)
            for field in ("ForwDatagrams", "OutRequests", "OutTransmits")}
    if not four["OutTransmits"]:
        return 0
    return four["ForwDatagrams"] + four["OutRequests"] - four["OutTransmits"] \
        + int(six.get("Ip6OutForwDatagrams", 0)) + int(six.get("Ip6OutRequests", 0)) \
        - int(six.get("Ip6OutTransmits", 0))


# Counters of the stack, each with where it is.
COUNTERS = {"reverse-path": ("netstat", "TcpExt", "IPReversePathFilter"), "no-route": ("netstat", "IpExt", "InNoRoutes"),
            "checksum": ("snmp", "Udp", "InCsumErrors"), "fragments": ("snmp", "Ip", "ReasmFails")}


def counted():
    return {name: counter(f"/proc/net/{file}", group, field) for name, (file, group, field) in COUNTERS.items()}


# What is received and is none of these is dropped by a rule; fragments aside.
DELIVERED = ("InDelivers", "InHdrErrors", "InAddrErrors", "InDiscards", "InUnknownProtos", "ReasmReqds")


def undelivered(name):
    """How many packets of IPv4, and of IPv6 from a device, came and were not delivered here."""
    four = {field: counter("/proc/net/snmp", "Ip", field)
            for field in ("InReceives", "ForwDatagrams", "ReasmOKs", *DELIVERED)}
    lost = four["InReceives"] - four["ForwDatagrams"] + four["ReasmOKs"] - sum(map(four.get, DELIVERED)) \
        - counter("/proc/net/netstat", "TcpExt", "IPReversePathFilter") \
        - counter("/proc/net/netstat", "IpExt", "InNoRoutes")
    six = dict(re.findall(r"^Ip6(\w+)\s+(\d+)", read(f"/proc/net/dev_snmp6/{name}"), re.MULTILINE))
    if not sysctl("net/ipv6/conf/all/forwarding"):
        lost += sum(int(six.get(field, 0)) for field in ("InReceives", "ReasmOKs")) - sum(
            int(six.get(field, 0)) for field in ("InNoRoutes", "InTooBigErrors", "InTruncatedPkts", *DELIVERED))
    return lost


def has_ipsec():
    """Whether datagrams may leave in another shape."""
    return bool(programs.run("ip", "xfrm", "policy"))


def plain(text):
    """An address that ss prints: programs with a socket for both versions have IPv4 within IPv6."""
    text = text.strip("[]").split("%")[0]
    return text.removeprefix("::ffff:") if "." in text else text


def backing_off():
    """(our address, its address) of the TCP connections that had to send the same again twice."""
    lines = programs.run("ss", "-Htino", "state", "established").splitlines()
    for line, more in zip(lines, lines[1:]):
        found, times = re.match(r"\S+\s+\S+\s+(\S+):\d+\s+(\S+):\d+", line), re.search(r"\bbackoff:(\d+)", more)
        if found and times and int(times[1]) >= 2:
            yield tuple(map(plain, found.groups()))


def asking():
    """(our address, its address, how often it has asked again) of the connections of TCP that wait
    for their first answer."""
    for line in programs.run("ss", "-Htno", "state", "syn-sent").splitlines():
        found = re.search(r"(\S+):\d+\s+(\S+):\d+\s.*timer:\(on,[^,]*,(\d+)\)", line)
        if found:
            yield *map(plain, found.groups()[:2]), int(found[3])


def opening():
    """(our address, its address) of those that have asked twice."""
    return [(ours, there) for ours, there, times in asking() if times]


def interfaces_elsewhere():
    """(namespace, name) of the interfaces in the namespaces that have a name."""
    spaces = [line.split()[0] for line in programs.run("ip", "netns", "list").splitlines() if line.strip()]
    return [(space, entry["ifname"]) for space in spaces[:SPACES]
            for entry in programs.listed("ip", "-n", space, "-j", "link", "show", "type", "wireguard") or []
            if "ifname" in entry]


def configured():
    """The interfaces that wg-quick has a file for."""
    try:
        return sorted(file.stem for file in pathlib.Path("/etc/wireguard").glob("*.conf"))
    except OSError:
        return []


def has_module():
    return pathlib.Path("/sys/module/wireguard").exists()


def module_is_ours():
    """Whether the loaded module is this one and not of the kernel's build; None if not known."""
    taint = pathlib.Path("/sys/module/wireguard/taint")
    return "O" in read(taint) if taint.exists() else None
