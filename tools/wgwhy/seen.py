# SPDX-License-Identifier: GPL-2.0
"""What is known of an interface at a moment."""

import functools
import ipaddress
import socket
import time

import causes
import firewall
import host
import netlink
import of_firewall
import of_interface
import of_peer
import of_routes
import of_way
import of_wire
from host import Way
from prefixes import Networks

# Looks in which a counter of the host must grow.
LASTING = 2

# How many prefixes of an interface are looked at, and of a peer are named.
PREFIXES, NAMED = 20_000, 16


# The counters of packets that were not to be forwarded, of IPv4 and IPv6.
BAD_ADDRESSES = "bad-addresses-4", "bad-addresses-6"


def said(cause, what, remedy, is_note=False):
    """What a cause yields, as a part of a trouble."""
    return {"cause": cause, "what": what, "try": remedy, **({"note": True} if is_note else {})}


def grouped(entries, key):
    found = {}
    for entry in entries:
        found.setdefault(key(entry), []).append(entry)
    return found


class Seen:
    """What the kernel shows is read at once, what the host shows when it is asked for."""

    def __init__(self, client, name, rules=(), earlier=None):
        self.client, self.name, self.earlier, self.rules = client, name, earlier, rules
        self.found, self.routes = {}, {}
        # The source of what is sent to an address and port, where rules go by it.
        self.sources = {}
        self.is_forwarding_told = False
        # Since which look a peer that has answered a handshake owes an answer to data.
        self.since = {}
        # The connections that waited for an answer at earlier looks, where that was asked.
        self.opened = []
        # In how many looks each counter of the stack grew.
        self.lasting = {}
        # The endpoints of each peer, in the order in which they were seen.
        self.places = {}
        self.unsent = host.unsent()
        # What passed the devices since the first look, and of that what must have been counted by
        # now.
        self.messages, self.settled, self.is_wire_open = [], [], False
        # Whether nothing of it was missed.
        self.is_wire_whole = True
        # The packets counted between two looks are to be among those that came between them.
        if earlier:
            self.count(name)
        first, *rest = client.dump(ifname=name)
        # One of its alternative names may have been asked for.
        self.name = first.get("ifname", name)
        self.time = time.time()
        if not earlier:
            self.count(name)
        self.interface = first["interface"]
        self.peers = [entry["peer"] for entry in rest]
        self.note_places(earlier)
        self.port = self.interface.get("listen-port", 0)
        self.drops = firewall.drops(rules or ())
        self.tc_drops = host.tc_drops()

    def count(self, name):
        """Reads what the stack has counted of packets that came."""
        self.bad_addresses, self.undelivered = host.bad_addresses(name), host.undelivered(name)
        self.counted = host.counted()
        self.counted.update(zip(BAD_ADDRESSES, self.bad_addresses))

    def more_counted(self, name):
        """How many more of these the stack has counted since the earlier look."""
        return self.counted.get(name, 0) - self.earlier.counted.get(name, 0) if self.earlier else 0

    def is_swallowed(self, peer, name, count):
        """Whether what came from a peer, and not only what others sent to this host, is likely to
        be what the stack has counted: most of it, time and again, and little was sent back."""
        came = self.growth(peer, "rx-packets")
        return 2 * count >= came and 2 * self.growth(peer, "tx-packets") <= came \
            and self.lasting.get(name, 0) >= LASTING

    @functools.cached_property
    def by_key(self):
        return {self.key(peer): peer for peer in self.peers}

    @functools.cached_property
    def mtu(self):
        return host.link(self.name).get("mtu", 0)

    @functools.cached_property
    def addresses(self):
        """None where they are not known."""
        return host.addresses(self.name)

    @functools.cached_property
    def all_addresses(self):
        """Those of all devices."""
        return set(host.all_addresses())

    @functools.cached_property
    def routes_into(self):
        """None where they are not known."""
        found = host.routes_into(self.name)
        return None if found is None else Networks(found)

    @functools.cached_property
    def bound(self):
        """The programs that are bound to the device."""
        return host.bound_to(self.name)

    @functools.cached_property
    def ruled_routes(self):
        return Networks(host.ruled_routes(self.name))

    @functools.cached_property
    def main_routes(self):
        return Networks(host.main_routes(self.name))

    @functools.cached_property
    def errors(self):
        """What was sent back for our datagrams, by where these were for."""
        return grouped((one for one in self.messages if one.kind == "unreachable" and not one.is_out
                        and one.sport == self.port), lambda one: (one.target, one.dport))

    @functools.cached_property
    def answers(self):
        """The answers to handshakes that came to this host for this interface, by their source."""
        return grouped((one for one in self.settled if one.kind in ("response", "cookie")
                        and self.is_for_us(one)), lambda one: one.source)

    @functools.cached_property
    def pinged(self):
        """{address: source} of the pings in the tunnel that were not answered: those that may be
        yet, and those that had time to."""
        answered = {one.source for one in self.messages if one.kind == "reply" and not one.is_out}
        return [{one.target: one.source for one in messages if one.target not in answered
                 and (one.kind, one.is_out, one.device) == ("echo", True, self.name)}
                for messages in (self.messages, self.settled)]

    @functools.cached_property
    def opening(self):
        """The connections that wait for an answer, and those that did at an earlier look."""
        return sorted({*host.opening(), *self.opened})

    @functools.cached_property
    def asking(self):
        return list(host.asking())

    @functools.cached_property
    def backing_off(self):
        return list(host.backing_off())

    @functools.cached_property
    def allowed_ips(self):
        return host.allowed_ips(self.name)

    @functools.cached_property
    def is_outside_here(self):
        """Whether the sockets are in this namespace, as far as can be seen."""
        return not self.interface.get("up") or host.has_socket(self.port)

    @functools.cached_property
    def is_socket_gone(self):
        """Whether the namespace in which the interface was made is no more."""
        return bool(self.interface.get("up")) and "NO-CARRIER" in host.link(self.name).get("flags", [])

    def key(self, peer):
        return host.key_text(peer["public-key"])

    def title(self, peer):
        return peer.get("name") or self.key(peer)

    def before(self, peer):
        """The peer at the earlier look."""
        return self.earlier.by_key.get(self.key(peer), {}) if self.earlier else {}

    def growth(self, peer, name):
        """How much more there is of something since the earlier look, if the peer was there."""
        before = self.before(peer)
        return peer.get(name, 0) - before.get(name, 0) if before else 0

    def total(self, name):
        """The growth of all peers."""
        return sum(self.growth(peer, name) for peer in self.peers)

    def is_flowing(self, peer):
        """Whether a session works, so that routes and rules must be right, whatever they look
        like."""
        return peer["state"] == "session" and not causes.wants_session(peer) and self.growth(peer, "rx-packets") > 0

    def sends_data(self, peer):
        """Whether more is sent to a peer than keepalives and handshakes."""
        begun, answered = self.growth(peer, "handshakes-begun"), self.growth(peer, "handshakes-answered")
        count = self.growth(peer, "tx-packets") - begun - answered
        size = self.growth(peer, "tx-bytes") - of_wire.INITIATION * begun - of_wire.RESPONSE * answered
        return count > 0 and size > of_wire.KEEPALIVE * count

    def receives_data(self):
        """Whether more comes from some peer than keepalives and handshakes."""
        return any(self.growth(peer, "rx-packets") > 0 and not of_wire.is_kept_alive(self, peer)
                   and self.growth(peer, "rx-bytes") > of_wire.INITIATION * self.growth(peer, "handshakes-answered")
                   + of_wire.RESPONSE * self.growth(peer, "handshakes-completed") for peer in self.peers)

    def networks(self, peer):
        return Networks(ipaddress.ip_network(text, strict=False)
                        for text in self.allowed_ips.get(self.key(peer), []))

    def addresses_inside(self):
        """An address of each version of IP that peers have."""
        return list({network.version: network.network_address for peer in self.peers
                     for network in self.networks(peer)}.values())

    @property
    def looked_for(self):
        """Milliseconds since the earlier look."""
        return 1000 * (self.time - self.earlier.time) if self.earlier else 0

    def unheard(self):
        """The handshakes that came to the port, if the interface has counted none."""
        counted = self.total("handshakes-answered") or any(
            self.is_refused_again(peer=peer) for peer in [None, *self.peers])
        is_deaf = counted or not self.interface.get("up") or not self.is_outside_here
        return [] if is_deaf else [one for one in self.settled if one.kind == "initiation" and self.is_for_us(one)]

    def is_for_us(self, message):
        """Whether a message came for this interface, and is not one that this host forwards."""
        return not message.is_out and message.dport == self.port and str(message.target) in self.all_addresses

    def way_out(self, peer):
        """What to ask for the route to a peer's endpoint; nothing where it does not matter."""
        if "endpoint" not in peer or not self.is_outside_here or causes.is_idle(peer):
            return None
        place, device = peer["endpoint"], ""
        if place.get("scope"):
            try:
                device = socket.if_indextoname(place["scope"])
            except OSError:
                return None
        return Way(causes.address_of(place["address"]),
                   peer.get("out-mark") or self.interface.get("fwmark", 0), device,
                   self.port, place.get("port", 0),
                   source=self.sources.get((causes.address_of(place["address"]), place.get("port", 0)), ""))

    def is_route_unsure(self, peer):
        """Whether the session of a peer may go by another route, as a rule looks at its source."""
        asked = self.way_out(peer)
        return peer["state"] == "session" and bool(asked) and not asked.source and self.has_source_rules

    @functools.cached_property
    def has_source_rules(self):
        return host.has_source_rules()

    def outside(self, peer):
        """The route to a peer's endpoint, as host.routes says it."""
        return self.routes.get(self.way_out(peer), {})

    def inside(self, peer):
        """Yields each prefix of a peer but default ones, with an address in it that is not ours."""
        for text in self.looked_at.get(self.key(peer), []):
            network = ipaddress.ip_network(text, strict=False)
            # The route to these depends on the device, which the sender names.
            if not network.prefixlen or network.is_multicast \
                    or network.version == 6 and network.is_link_local:
                continue
            first = network.network_address + (network.num_addresses > 2)
            is_ours = str(first) in (self.addresses or [])
            if not is_ours or network.num_addresses > 2:
                yield network, first + is_ours

    @functools.cached_property
    def looked_at(self):
        """The prefixes of each peer that are looked at."""
        left, found = PREFIXES, {}
        for key, texts in self.allowed_ips.items():
            found[key] = texts[:left]
            left -= len(found[key])
        return found

    def way_in(self, address):
        """The route to an address in the tunnel."""
        return self.routes.get(Way(str(address)), {})

    def entry_of(self, address):
        """The entry of a table by which a route is another."""
        found = self.routes.get(Way(str(address), is_entry=True), {})
        return found if isinstance(found, dict) else {}

    def leads_in(self, address):
        found, entry = self.way_in(address), self.entry_of(address)
        hops = [hop.get("dev") for hop in entry.get("nexthops", []) if isinstance(hop, dict)]
        return isinstance(found, dict) and found.get("dev") == self.name or self.name in hops

    def ask_routes(self):
        """All routes that matter, by two calls at most."""
        if self.has_source_rules:
            self.sources = {**host.tracked(self.port), **{
                (str(one.target), one.dport): str(one.source) for one in self.messages
                if one.is_out and one.sport == self.port and one.kind in ("initiation", "response")}}
            self.sources = {where: source for where, source in self.sources.items()
                            if source in self.all_addresses}
        asked = {self.way_out(peer) for peer in self.peers} - {None}
        # An answer comes without the mark.
        asked |= {way._replace(mark=0) for way in asked}
        inner = {str(one) for peer in self.peers for network, address in self.inside(peer)
                 for one in (address, causes.second(network, address), causes.far_end(network, address))}
        self.ask(asked | {Way(one) for one in inner})
        self.ask({Way(one, is_entry=True) for one in inner if not self.leads_in(one)})

    def ask(self, ways):
        asked = sorted(ways)
        self.routes.update(zip(asked, host.routes(asked)))

    def has(self, peer, *names):
        return any(entry["cause"] in names
                   for key in (None, self.key(peer)) for entry in self.found.get(key, []))

    def has_trouble(self, peer, *names):
        return any(entry["cause"] in names and "note" not in entry for entry in self.found.get(self.key(peer), []))

    def more(self, peer, address):
        """A peer's prefixes and one more: only wg of 2025 or later can add one by itself."""
        known = self.allowed_ips.get(self.key(peer), [])
        return ",".join([*known, address]) if 0 < len(known) <= NAMED else f"+{address}"

    def owner(self, address):
        """The peer whose allowed IPs have an address."""
        if not address:
            return None
        try:
            return self.client.get(ifname=self.name, owner_of=address)["peer"]
        except netlink.Refused:
            return None

    def note_places(self, last):
        for peer in self.peers:
            before, now = last.places.get(self.key(peer), []) if last else [], peer.get("endpoint")
            self.places[self.key(peer)] = [*before, now] if now and before[-1:] != [now] else before

    def has_returned(self, peer):
        """Whether a peer was seen at one place twice, and elsewhere between."""
        seen = self.places[self.key(peer)]
        return any(place in seen[:number] for number, place in enumerate(seen))

    def is_refused_again(self, *reasons, peer=None):
        """Whether the interface, or a peer, has refused more since the earlier look: for these
        reasons, or for any."""
        if not self.earlier:
            return False
        now, before = [sum(entry["count"] for facts in places for entry in facts.get("refusal", [])
                           if entry["reason"] in reasons or not reasons)
                       for places in ((self.interface, peer or {}),
                                      (self.earlier.interface, self.before(peer) if peer else {}))]
        return now > before

    def still_awaiting(self, peer):
        """Whether data was sent before the look from which this counts, and since, and nothing
        came."""
        before, _ = self.since.get(self.key(peer), (self.before(peer), 0))
        return bool(peer.get("awaiting") and before.get("awaiting") and not causes.wants_session(peer)
                    and before["rx-packets"] == peer["rx-packets"]
                    and before["tx-packets"] < peer["tx-packets"])

    def follow(self, last, seconds):
        """Takes over from the last look since when peers owe an answer to data.

        One that has answered a handshake since, and nothing else, owes it from now on.
        """
        self.since = {}
        self.note_places(last)
        self.opened = last.__dict__.get("opening", last.opened)
        self.lasting = {name: last.lasting.get(name, 0) + (count > last.counted.get(name, 0))
                        for name, count in self.counted.items()}
        for peer in self.peers:
            key = self.key(peer)
            before, begin = last.since.get(key, (self.before(peer), 0))
            came = peer.get("rx-packets", 0) - before.get("rx-packets", 0)
            answers = peer.get("handshakes-completed", 0) - before.get("handshakes-completed", 0)
            has_answered = before.get("awaiting") and peer.get("session-role") == "initiator" \
                and came == answers > 0
            is_asked = key in last.since and not came and peer.get("awaiting") and not before.get("awaiting")
            if has_answered or is_asked:
                self.since[key] = peer, seconds
            elif key in last.since and not came:
                self.since[key] = before, begin

    def grown(self, drop):
        """How many more a rule has dropped since the earlier look."""
        before = self.earlier.drops.get((drop.place, drop.handle)) if self.earlier else None
        return drop.count - before.count if before else 0

    def blocking(self, peer):
        """The rules that drop datagrams to or from a peer, or have done it."""
        if "endpoint" not in peer or not causes.wants_session(peer) or not self.is_outside_here:
            return []
        ports = self.port, peer["endpoint"].get("port", 0)
        flows = self.flows(peer)
        return [drop for drop in self.drops.values() if drop.count and drop.is_of(flows[0].address, *ports)
                and firewall.concerns(self.rules, drop, *flows)]

    def flows(self, peer):
        """The datagrams to a peer, and from it, as the firewall sees them."""
        ours, theirs = self.port, peer["endpoint"].get("port", 0)
        address, found = ipaddress.ip_address(peer["endpoint"]["address"]), self.outside(peer)
        device = found.get("dev", "") if isinstance(found, dict) else ""
        return (firewall.Flow("output", ours, theirs, ("new", "established"), address, device),
                firewall.Flow("input", theirs, ours, ("new", "established"), address))

    def troubles(self):
        """All that is wrong: a list of dictionaries."""
        is_up = self.interface.get("up") and not self.is_socket_gone
        if is_up:
            self.ask_routes()
        ours = self.found[None] = []
        for name, look in causes.OF_INTERFACE:
            for words in look(self):
                ours.append({"interface": self.name, **said(name, *words)})
        result = list(ours)
        if not is_up or "public-key" not in self.interface:
            return result
        for peer in self.peers:
            found = self.found[self.key(peer)] = []
            for name, look in causes.OF_PEER:
                for words in look(self, peer):
                    found.append({"interface": self.name, "peer": self.key(peer),
                                  "name": peer.get("name", ""), **said(name, *words)})
            result += found
        return result


# The causes are in these.
MODULES = of_firewall, of_interface, of_way, of_wire, of_peer, of_routes
