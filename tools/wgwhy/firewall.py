# SPDX-License-Identifier: GPL-2.0
"""What the rules of nftables do to the datagrams of a tunnel, and to what is inside it."""

import fnmatch
import ipaddress
import json
import typing

import host
import programs


# Matches that look at a device.
DEVICES = ("meta iifname", "meta iif", "meta oifname", "meta oif")

# The families of tables that see the packets of a version of IP.
FAMILIES = {4: ("inet", "ip"), 6: ("inet", "ip6"), None: ("inet", "ip", "ip6")}

ADDRESSES = ("ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr")

# What a rule may have that changes nothing of what it applies to.
IDLE = ({"counter"}, {"log"})


class Drop(typing.NamedTuple):
    """A rule that drops or rejects, and counts."""

    place: str
    handle: int
    count: int
    ports: list
    devices: list
    addresses: list
    # Whether it looks at devices and addresses only.
    is_wide: bool
    rule: dict

    def has(self, *ports):
        """Whether it names one of these ports of UDP."""
        return any(covers(right, port) for right in self.ports for port in ports if port)

    def is_of(self, address, *ports):
        """Whether it drops what goes to or comes from there: it names a port, or only the
        address."""
        return self.has(*ports) or not self.ports and any(holds(right, address) for right in self.addresses)

    def is_inside(self, networks):
        """Whether it drops what comes from or goes to addresses that these networks cover."""
        return not self.ports and any(networks.covers(one) for right in self.addresses for one in edges(right))

    def names(self, device):
        return any(is_device(right, device) for right in self.devices)


def listing():
    """What "nft list ruleset" has, without the elements of named sets."""
    # It would only take as long again.
    if "nft" in programs.SLOW:
        return []
    found = programs.printed("nft", "-j", "-t", "list", "ruleset")
    entries = found.get("nftables") if isinstance(found, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def covers(right, port):
    """Whether the right side of a match has a port; None where that cannot be seen."""
    if isinstance(right, int):
        return right == port
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        return low <= port <= high
    if isinstance(right, dict) and "set" in right and isinstance(right["set"], list):
        found = [covers(element, port) for element in right["set"]]
        return True if True in found else None if None in found else False
    return None


def holds(right, address):
    """Whether the right side of a match has an address, as far as it can be seen."""
    if isinstance(right, str):
        return right == str(address)
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return any(holds(element, address) for element in right["set"])
    if isinstance(right, dict) and "prefix" in right:
        prefix = right["prefix"]
        return address in ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
    return False


def lacks(right, address):
    """Whether the right side of a match surely has not an address."""
    if isinstance(right, str):
        return not right.startswith("@") and right != str(address)
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return all(lacks(element, address) for element in right["set"])
    if isinstance(right, dict) and isinstance(right.get("range"), list):
        low, high = map(host.network_of, right["range"])
        return bool(low and high) and (address.version != low.version or not
                                       low.network_address <= address <= high.network_address)
    return isinstance(right, dict) and "prefix" in right and not holds(right, address)


def edges(right):
    """The first address of each network on the right side of a match, as far as it can be seen."""
    if isinstance(right, str) or isinstance(right, dict) and "prefix" in right:
        text = right if isinstance(right, str) else right["prefix"]["addr"]
        found = host.network_of(text)
        return [found.network_address] if found else []
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return [one for element in right["set"] for one in edges(element)]
    return []


def is_device(right, device):
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return any(is_device(element, device) for element in right["set"])
    return isinstance(right, str) and fnmatch.fnmatchcase(device, right)


def subject(match):
    """What a match looks at, like "udp dport", "meta iifname", "ct state"."""
    left = match["left"]
    kind = next(iter(left)) if isinstance(left, dict) else ""
    if kind == "payload":
        return f"{left[kind].get('protocol', '')} {left[kind].get('field', '')}"
    if kind in ("meta", "ct"):
        return f"{kind} {left[kind].get('key', '')}"
    return ""


def parts(rule):
    """What a rule is made of, without what this nft can only print as text."""
    return [part for part in rule.get("expr", []) if isinstance(part, dict)]


def matches(rule, ops=("==", "in")):
    """Yields (subject, right side) of what a rule demands, without what it excludes."""
    for part in parts(rule):
        match = part.get("match")
        if match and match.get("op") in ops:
            yield subject(match), match["right"]


def place(entry):
    return f"{entry['family']} {entry['table']} {entry.get('chain') or entry['name']}"


def drops(entries):
    """The rules that drop and count, by where they are."""
    found = {}
    for entry in entries:
        rule = entry.get("rule")
        if rule and any("drop" in part or "reject" in part for part in parts(rule)) and count(rule) is not None:
            drop = drop_of(rule)
            found[drop.place, drop.handle] = drop
    return found


def count(rule):
    """What a rule has counted; None if it does not count."""
    counts = [part["counter"]["packets"] for part in parts(rule or {}) if isinstance(part.get("counter"), dict)]
    return counts[0] if counts else None


def drop_of(rule):
    named = list(matches(rule))
    is_wide = is_plain(rule) and all(what in (*DEVICES, *ADDRESSES) for what, _ in named)
    return Drop(place(rule), rule.get("handle", 0), count(rule) or 0,
                [right for what, right in named if what in ("udp dport", "udp sport", "th dport", "th sport")],
                [right for what, right in named if what in DEVICES],
                [] if any(is_not_udp(*one) for one in named) else
                [right for what, right in named if what in ADDRESSES], is_wide, rule)


def is_not_udp(what, right):
    return what.startswith(("tcp ", "icmp", "sctp ")) \
        or what in ("meta l4proto", "ip protocol", "ip6 nexthdr") and "udp" not in json.dumps(right)


class Flow(typing.NamedTuple):
    """Datagrams as the firewall sees them: where, from and to which port, of which connection."""

    hook: str
    sport: int | None
    dport: int | None
    states: tuple = ("new",)
    address: object = None
    device: str = ""
    # Of IP; None if it may be any, and no address says it.
    version: int | None = None

    def ip(self):
        return self.version or (self.address.version if self.address else None)

    def is_of_the_other(self, what, right):
        """Whether a match is for the other version of IP."""
        if not self.ip():
            return False
        if what in ("meta nfproto", "meta protocol"):
            ours = {4: ("ipv4", "ip"), 6: ("ipv6", "ip6")}[self.ip()]
            return isinstance(right, str) and right not in ours
        return what.startswith({4: "ip6 ", 6: "ip "}[self.ip()])

    def port(self, what):
        """The port that a match looks at; None if it may be any, or it looks at something else."""
        looks = what in ("udp sport", "udp dport", "th sport", "th dport")
        return (self.sport if what.endswith("sport") else self.dport) if looks else None

    def looks_far(self, what):
        """Whether a match looks at the address that these datagrams come from or go to."""
        is_far = what.endswith("saddr" if self.hook == "input" else "daddr")
        return what in ADDRESSES and is_far and self.address is not None

    def is_apart(self, rule):
        """Whether a rule surely does not match any of these datagrams."""
        return rule["family"] not in (*FAMILIES[self.ip()], "netdev") \
            or any(self.excludes(*one) for one in matches(rule)) \
            or any(self.looks_far(what) and lacks(right, self.address) for what, right in matches(rule)) \
            or any(self.looks_far(what) and holds(right, self.address) for what, right in matches(rule, ["!="]))

    def excludes(self, what, right):
        """Whether these datagrams surely do not match; ports that are None may be any."""
        port, text = self.port(what), json.dumps(right)
        if what in DEVICES and '"@' not in text:
            return right == "lo" or bool(self.device) and not is_device(right, self.device)
        return self.is_of_the_other(what, right) or port is not None and covers(right, port) is False \
            or what == "ct state" and not any(state in text for state in self.states) \
            or is_not_udp(what, right)

    def surely_matches(self, what, right):
        """Whether all of them match, as far as this can be read."""
        port = self.port(what)
        if port is not None:
            return covers(right, port) is True
        if self.is_of_the_other(what, right):
            return False
        if what in ("meta nfproto", "meta protocol"):
            return bool(self.ip()) and isinstance(right, str)
        if what in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
            return right == "udp"
        if what in DEVICES:
            return bool(self.device) and is_device(right, self.device)
        return self.looks_far(what) and holds(right, self.address)


def admits(rule, flow):
    """Whether a rule may accept such datagrams."""
    said = json.dumps(rule.get("expr", []))
    # A verdict may also be in a named map.
    if '"accept"' not in said and '"data": "@' not in said:
        return False
    if not set(flow.states).intersection(states_of(rule)):
        return False
    return not any(flow.excludes(*one) for one in matches(rule))


def states_of(rule):
    """The states of connections that a rule may accept, where it looks at them in a map, or in a
    match of iptables that nft does not show."""
    for part in rule.get("expr", []):
        opaque = part.get("xt") if isinstance(part, dict) else None
        name = opaque.get("name") if isinstance(opaque, dict) else \
            part.rsplit(maxsplit=1)[-1].strip('"') if isinstance(part, str) and part.startswith("xt match") else ""
        if name in ("conntrack", "state"):
            return ["established"]
        found = part.get("vmap") if isinstance(part, dict) else None
        if isinstance(found, dict) and found.get("key") == {"ct": {"key": "state"}} \
                and isinstance(found.get("data"), dict):
            return [state for state, verdict in found["data"].get("set", [])
                    if isinstance(state, str) and "accept" in verdict]
    return ["new", "established"]


def is_plain(rule):
    """Whether a rule drops all that matches it, and it can be seen what that is."""
    *conditions, verdict = rule.get("expr") or [None]
    return isinstance(verdict, dict) and not {"drop", "reject"}.isdisjoint(verdict) \
        and all(isinstance(part, dict) and (set(part) in IDLE or set(part) == {"match"}
                                            and part["match"].get("op") in ("==", "in"))
                for part in conditions)


def refuses(rule, flow):
    """Whether a rule surely drops all of them."""
    return is_plain(rule) and all(flow.surely_matches(*one) for one in matches(rule))


def base_chains(entries, flow):
    """Yields each chain that such datagrams come to, with its own rules and those of its table."""
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    asleep = {(table.get("family"), table.get("name")) for table in
              (entry.get("table", {}) for entry in entries) if "dormant" in table.get("flags", ())}
    for entry in entries:
        chain = entry.get("chain", {})
        if chain.get("hook") == flow.hook and chain["family"] in FAMILIES[flow.ip()] \
                and (chain["family"], chain["table"]) not in asleep:
            near = [rule for rule in rules
                    if (rule["family"], rule["table"]) == (chain["family"], chain["table"])]
            yield chain, [rule for rule in near if rule["chain"] == chain["name"]], near


def hook_of(entries, drop):
    """The hook of the chain that a rule is in; None where others lead to it."""
    return next((entry["chain"].get("hook") for entry in entries
                 if "chain" in entry and place(entry["chain"]) == drop.place), None)


def hooks_of(entries, name):
    """The hooks from which packets come to a chain."""
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    near, hooks = {name}, set()
    while True:
        hooks |= {entry["chain"]["hook"] for entry in entries
                  if "hook" in entry.get("chain", {}) and place(entry["chain"]) in near}
        ahead = {place(rule) for rule in rules for target in targets(rule)
                 if f"{rule['family']} {rule['table']} {target}" in near} - near
        if not ahead:
            return hooks
        near |= ahead


def targets(part):
    """The chains that something in a rule may lead to."""
    if isinstance(part, list):
        return [target for one in part for target in targets(one)]
    if not isinstance(part, dict):
        return []
    found = [value["target"] for verdict, value in part.items()
             if verdict in ("jump", "goto") and isinstance(value, dict) and "target" in value]
    return found + [target for value in part.values() for target in targets(value)]


# Where packets pass that come to this host, and that it sends.
COMING, GOING = ("ingress", "prerouting", "input"), ("output", "postrouting", "egress")


def concerns(entries, drop, *flows):
    """Whether a rule may drop datagrams of one of these flows. A verdict map of another table, or
    what cannot be read, may lead to it, too."""
    hooks = hooks_of(entries, drop.place)
    return any((not hooks or not hooks.isdisjoint(COMING if flow.hook == "input" else GOING))
               and not flow.is_apart(drop.rule) for flow in flows)


def closed(entries, flow):
    """The chains whose policy drops such datagrams, as nothing in their table accepts them; each
    with None for the rule."""
    for chain, _, near in base_chains(entries, flow):
        if chain.get("policy") == "drop" and not any(admits(rule, flow) for rule in near):
            yield place(chain), None


def shut(entries, flow):
    """(chain, rule) of each that drops them before one that may accept them."""
    for chain, own, _ in base_chains(entries, flow):
        for rule in own:
            if refuses(rule, flow):
                yield place(chain), rule
                break
            # Whatever may lead elsewhere may also accept.
            said = json.dumps(rule.get("expr", []))
            if any(word in said for word in ('"jump"', '"goto"', '"vmap"')) or admits(rule, flow):
                break


def lets_out(rule, device, others):
    """Whether a rule accepts what comes from a device and is for most hosts."""
    comes, goes = [[right for what, right in matches(rule) if what in names]
                   for names in (("meta iifname", "meta iif"), ("meta oifname", "meta oif"))]
    return all(is_device(right, device) for right in comes) \
        and (bool(comes) or any(all(is_device(right, one) for right in goes) for one in (device, *others)))


def closed_for_devices(entries, device, version, others):
    """The chains whose policy drops what is forwarded from a device, as no rule accepts it, unless
    it is for a device that few packets go to."""
    flow = Flow("forward", None, None, version=version)
    for chain, _, near in base_chains(entries, flow):
        if chain.get("policy") == "drop" and not any(
                admits(rule, flow) and lets_out(rule, device, others) for rule in near):
            yield place(chain)
