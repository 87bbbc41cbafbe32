# SPDX-License-Identifier: GPL-2.0
"""Says why a WireGuard tunnel does not work.

For each interface and peer with trouble: one sentence with the reason, and what to try. Without
trouble it says that, and ends with 0; with trouble with 1; with 2 if it could not look.
"""

import argparse
import json
import sys
import time

import causes
import host
import netlink
import prometheus
import watch

SAMPLE = 1.0


class Seen:
    """What is known of an interface at a moment."""

    def __init__(self, client, name, earlier=None):
        self.client, self.name = client, name
        first, *rest = client.dump(ifname=name)
        self.interface = first["interface"]
        self.generation = first["generation"]
        self.peers = [entry["peer"] for entry in rest]
        self.earlier = earlier
        self.found, self.routes = {}, {}
        self.is_forwarding_told = False
        self.port = self.interface.get("listen-port", 0)
        self.mtu = host.link(name).get("mtu", 0)
        self.addresses = host.addresses(name)
        self.allowed_ips = host.allowed_ips(name)
        self.bad_addresses = earlier.bad_addresses if earlier else host.bad_addresses()
        self.is_port_taken = [] if self.interface.get("up") else host.listeners(self.port)

    def key(self, peer):
        return host.key_text(peer["public-key"])

    def title(self, peer):
        return peer.get("name") or self.key(peer)

    def outside(self, peer):
        """The route to a peer's endpoint, as host.route says it."""
        address = causes.address_of(peer["endpoint"]["address"])
        mark = peer.get("out-mark") or self.interface.get("fwmark", 0)
        if (address, mark) not in self.routes:
            self.routes[address, mark] = host.route(address, mark)
        return self.routes[address, mark]

    def has(self, peer, *names):
        return any(entry["cause"] in names for entry in self.found.get(self.key(peer), []))

    def owner(self, address):
        """The title of the peer whose allowed IPs have an address."""
        if not address:
            return None
        try:
            return self.title(self.client.get(ifname=self.name, owner_of=address)["peer"])
        except netlink.Refused:
            return None

    def still_awaiting(self, peer):
        """Whether data was sent before the earlier look, and nothing came since."""
        before = self.earlier and self.earlier.by_key().get(self.key(peer))
        return bool(before and before.get("awaiting") and before["rx-packets"] == peer["rx-packets"]
                    and before["tx-packets"] < peer["tx-packets"])

    def by_key(self):
        return {self.key(peer): peer for peer in self.peers}

    def troubles(self):
        """All that is wrong: a list of dictionaries."""
        result = []
        for name, look in causes.OF_INTERFACE:
            for what, remedy in look(self):
                result.append({"interface": self.name, "cause": name, "what": what, "try": remedy})
        if not self.interface.get("up") or "public-key" not in self.interface:
            return result
        for peer in self.peers:
            found = self.found[self.key(peer)] = []
            for name, look in causes.OF_PEER:
                for what, remedy in look(self, peer):
                    found.append({"interface": self.name, "peer": self.key(peer),
                                  "name": peer.get("name", ""), "cause": name, "what": what,
                                  "try": remedy})
            result += found
        return result


def text(trouble):
    peer = trouble.get("name") or trouble.get("peer")
    where = trouble["interface"] + (f", peer {peer}" if peer else "")
    return f"{where}: {trouble['what']}.\n  Try: {trouble['try']}."


def without_family(names):
    """With the C module, or an old one: what can be seen all the same."""
    lines = []
    ours = host.module_is_ours()
    if ours is None and not names:
        return ["The module wireguard is not loaded.\n  Try: modprobe wireguard."], 1
    lines.append("The loaded module is "
                 + ("an older one of this kind" if ours else "the kernel's own C module")
                 + ", which does not tell why: refusals, attempts and states cannot be seen, only "
                 "what 'wg show' knows.\n  Try: make which, make install.")
    for name in names:
        if "UP" not in host.link(name).get("flags", []):
            lines.append(f"{name}: the interface is down.\n  Try: ip link set {name} up.")
        endpoints = host.of_wg(name, "endpoints")
        for key, seconds in host.of_wg(name, "latest-handshakes").items():
            if endpoints.get(key) == "(none)":
                lines.append(f"{name}, peer {key}: it is not known where the peer is.\n"
                             f"  Try: wg set {name} peer {key} endpoint ADDRESS:PORT.")
            elif seconds == "0":
                lines.append(f"{name}, peer {key}: there was no handshake yet with "
                             f"{endpoints.get(key)}.\n  Try: send something to it, and look again.")
            elif int(seconds) > time.time() + host.CLOCK_SLACK:
                lines.append(f"{name}, peer {key}: the last handshake is in the future: our clock went "
                             "back, and the peer refuses handshakes until it has caught up.\n"
                             "  Try: set the clock here.")
    return lines, 1 if len(lines) > 1 else 0


def options(words):
    parser = argparse.ArgumentParser(prog="wgwhy", description=__doc__.split("\n\n", maxsplit=1)[0],
                                     epilog="exit status: 0 no trouble, 1 trouble, 2 could not look")
    parser.add_argument("interface", nargs="*", help="default: all in this network namespace")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="a list of troubles for programs")
    kind.add_argument("--prometheus", action="store_true", help="figures for a text collector")
    kind.add_argument("--watch", action="store_true", help="events as they come")
    return parser.parse_args(words)


def look(client, names):
    """Looks twice, to tell what goes on from what is over."""
    earlier = {name: Seen(client, name) for name in names}
    time.sleep(SAMPLE)
    return [Seen(client, name, earlier[name]) for name in names]


def main(words):
    wanted = options(words)
    names = wanted.interface or host.interfaces()
    try:
        client = netlink.Client()
    except netlink.Missing:
        lines, status = without_family(names)
        print("\n".join(lines))
        return status
    if wanted.watch:
        return watch.follow(client, set(wanted.interface))
    if wanted.prometheus:
        print(prometheus.text([Seen(client, name) for name in names]), end="")
        return 0
    troubles = [trouble for seen in look(client, names) for trouble in seen.troubles()]
    if wanted.json:
        print(json.dumps(troubles, indent=1, ensure_ascii=False))
    elif troubles:
        print("\n".join(map(text, troubles)))
    else:
        print(f"No trouble with {', '.join(names)}." if names else "There is no interface of WireGuard.")
    return 1 if troubles else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except netlink.Refused as error:
        print(f"wgwhy: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(2)
