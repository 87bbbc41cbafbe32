# SPDX-License-Identifier: GPL-2.0
"""From what the kernel and the host know to sentences.

Each function with @cause looks at one kind of trouble and yields (what is wrong, what to try).
"""

import ipaddress

import host

RECENT = 180_000
SOON = 15_000

OF_INTERFACE, OF_PEER = [], []


def cause(places, name):
    def keep(function):
        places.append((name, function))
        return function
    return keep


def recent(facts, *reasons, within=RECENT):
    """How often these reasons occurred, if one did lately."""
    found = [entry for entry in facts.get("refusal", [])
             if entry["reason"] in reasons and entry["age"] <= within]
    return sum(entry["count"] for entry in found)


def endpoint(place):
    address = ipaddress.ip_address(place["address"])
    port = place.get("port", 0)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def address_of(data):
    return str(ipaddress.ip_address(data))


def duration(milliseconds):
    seconds = milliseconds / 1000
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def plural(count, what):
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- interfaces


@cause(OF_INTERFACE, "interface-down")
def interface_down(seen):
    if not seen.interface.get("up") and not seen.is_port_taken:
        yield "the interface is down", f"ip link set {seen.name} up"


@cause(OF_INTERFACE, "port-taken")
def port_taken(seen):
    if not seen.interface.get("up") and seen.is_port_taken:
        yield (f"the interface is down, and another program has its port {seen.port}: "
               f"{seen.is_port_taken[0].split('users:')[-1]}",
               f"stop that program, or wg set {seen.name} listen-port ANOTHER")


@cause(OF_INTERFACE, "no-private-key")
def no_private_key(seen):
    if "public-key" not in seen.interface:
        yield "the interface has no private key, so it can talk to nobody", \
            f"wg set {seen.name} private-key FILE"


@cause(OF_INTERFACE, "no-peers")
def no_peers(seen):
    if not seen.interface.get("peers"):
        yield "the interface has no peers", f"wg set {seen.name} peer KEY allowed-ips …"


@cause(OF_INTERFACE, "no-address")
def no_address(seen):
    if seen.interface.get("up") and not seen.addresses:
        yield "the interface has no address, so this host sends nothing through it", \
            f"ip address add ADDRESS dev {seen.name}"


@cause(OF_INTERFACE, "no-peer-for-destination")
def no_peer_for_destination(seen):
    count = recent(seen.interface, "tx-no-peer")
    if count and "refused-destination" in seen.interface:
        address = address_of(seen.interface["refused-destination"])
        yield (f"{plural(count, 'packet')} had no peer to go to, the last for {address}, "
               "which is in nobody's allowed IPs",
               f"wg set {seen.name} peer KEY allowed-ips +{address}, or correct the route to it")


@cause(OF_INTERFACE, "unknown-initiator")
def unknown_initiator(seen):
    if recent(seen.interface, "rx-initiation-unknown-peer"):
        key = host.key_text(seen.interface.get("unknown-initiator", b""))
        remote = seen.interface.get("refused-remote")
        yield (f"a host at {endpoint(remote) if remote else '?'} begins handshakes with the key "
               f"{key}, which is no peer's here",
               f"wg set {seen.name} peer {key} allowed-ips …, if you know it")


@cause(OF_INTERFACE, "our-key-unknown")
def our_key_unknown(seen):
    if recent(seen.interface, "rx-bad-mac1"):
        remote = seen.interface.get("refused-remote")
        yield (f"handshakes from {endpoint(remote) if remote else '?'} are for another public key "
               "than ours",
               f"there, the peer's key must be what 'wg show {seen.name} public-key' says here")


@cause(OF_INTERFACE, "under-load")
def under_load(seen):
    if seen.interface.get("under-load") or recent(seen.interface, "rx-cookie-sent",
                                                  "rx-rate-limited", within=SOON):
        yield ("too many handshakes come: their senders must prove their addresses first, "
               "or are held back", "wait, or block the sources of the flood")


@cause(OF_INTERFACE, "lost-session")
def lost_session(seen):
    if recent(seen.interface, "rx-data-unknown-index", within=SOON):
        yield ("packets come for a session that is not known here: the other side has not noticed "
               "that this one began anew", "wait up to 15 seconds, or send something to it")


@cause(OF_INTERFACE, "not-wireguard")
def not_wireguard(seen):
    if recent(seen.interface, "rx-bad-type", "rx-bad-length", "rx-bad-datagram"):
        yield (f"datagrams that are none of WireGuard come to the port {seen.port}",
               "look who sends them, or what rewrites them: tcpdump -ni any udp port "
               f"{seen.port}")


# --- peers


@cause(OF_PEER, "no-endpoint")
def no_endpoint(seen, peer):
    if "endpoint" not in peer and (recent(peer, "tx-no-endpoint") or peer.get("keepalive")):
        yield ("it is not known where the peer is, and it has not spoken yet",
               f"wg set {seen.name} peer {seen.key(peer)} endpoint ADDRESS:PORT, or have it begin")


def wants_session(peer):
    return peer["state"] in ("waiting", "given-up", "answered")


@cause(OF_PEER, "endpoint-in-tunnel")
def endpoint_in_tunnel(seen, peer):
    if "endpoint" in peer and isinstance(seen.outside(peer), dict) \
            and seen.outside(peer).get("dev") == seen.name:
        yield (f"the route to its endpoint {endpoint(peer['endpoint'])} leads into the tunnel itself",
               "set a route to the endpoint outside, or a fwmark and a rule as wg-quick does")


@cause(OF_PEER, "no-route-outside")
def no_route_outside(seen, peer):
    if "endpoint" in peer and (recent(peer, "tx-no-route", within=SOON)
                               or isinstance(seen.outside(peer), str)):
        why = seen.outside(peer) if isinstance(seen.outside(peer), str) else "there was none"
        yield (f"there is no route to its endpoint {endpoint(peer['endpoint'])}: {why}",
               f"ip route get {address_of(peer['endpoint']['address'])}")


@cause(OF_PEER, "no-socket")
def no_socket(seen, peer):
    if recent(peer, "tx-no-socket", within=SOON):
        yield (f"no socket here can send to {endpoint(peer['endpoint'])}"
               if "endpoint" in peer else "no socket can send to it",
               "is IPv6 switched off here? Give the peer an endpoint of the other family")


@cause(OF_PEER, "preshared-key")
def preshared_key(seen, peer):
    if peer["state"] != "session" and recent(peer, "rx-response-bad"):
        yield ("its responses do not decrypt: the preshared keys of the two sides differ",
               f"wg set {seen.name} peer {seen.key(peer)} preshared-key FILE, the same on both sides")


@cause(OF_PEER, "clock")
def clock(seen, peer):
    if recent(peer, "rx-initiation-replayed"):
        yield ("its handshakes are older than one that was accepted: its clock went back, or two "
               "hosts have its key",
               "set the clock there, or remove and add the peer here")


@cause(OF_PEER, "our-clock")
def our_clock(seen, peer):
    # Timestamps never fall while a peer is configured. But they begin with the clock, and many
    # machines without a battery for theirs begin in 1970.
    if wants_session(peer) and host.is_clock_behind():
        yield ("our clock is behind, at a time before wgwhy was installed: a peer that has seen later "
               "handshakes of ours takes these for old ones", "set the clock here")


@cause(OF_PEER, "two-hosts-one-key")
def two_hosts(seen, peer):
    if peer.get("recent-moves", 0) >= 3:
        yield (f"it moves between addresses, {plural(peer['recent-moves'], 'time')} in the last "
               f"minute, now at {endpoint(peer['endpoint'])}: two hosts use its key",
               "give each host a key of its own")


@cause(OF_PEER, "firewall")
def firewall(seen, peer):
    if not wants_session(peer) or "endpoint" not in peer:
        return
    for place, count in host.blocking_rules(seen.port, peer["endpoint"].get("port", 0)):
        yield (f"a rule of the firewall here, in {place}, has dropped {plural(count, 'datagram')} of "
               "the tunnel", "nft list ruleset")


@cause(OF_PEER, "unanswered")
def unanswered(seen, peer):
    if peer["state"] not in ("waiting", "given-up") or peer.get("attempt", 9) < 2:
        return
    if seen.has(peer, "endpoint-in-tunnel", "no-route-outside", "no-socket", "preshared-key",
                "firewall", "our-clock", "interface-down", "reverse-path"):
        return
    begun = peer.get("attempt") or peer.get("handshakes-begun", 0)
    since = "" if "attempt" in peer else f" (given up {duration(peer.get('initiation-age', 0))} ago)"
    yield (f"{plural(begun, 'handshake')} begun towards {endpoint(peer['endpoint'])}, nothing came "
           f"back{since}: it is unreachable, something blocks, or our key is not known there",
           "is that address right, is the port open on the way and there, does 'wg show' there list "
           f"our key {host.key_text(seen.interface.get('public-key', b''))}?")


@cause(OF_PEER, "answer-lost")
def answer_lost(seen, peer):
    if peer["state"] == "answered" and peer.get("handshakes-answered", 0) >= 2 \
            and not seen.has(peer, "firewall"):
        yield (f"{plural(peer['handshakes-answered'], 'handshake')} of the peer were answered, but it "
               "never used a session: our answers do not arrive, or the preshared keys differ",
               f"compare preshared keys; see whether answers reach {endpoint(peer['endpoint'])}")


@cause(OF_PEER, "silent")
def silent(seen, peer):
    if peer["state"] == "session" and peer.get("awaiting") and seen.still_awaiting(peer):
        yield (f"data was sent to {endpoint(peer['endpoint'])}, and nothing comes back: the other side "
               "is gone, has no session any more, or what it sends does not arrive",
               "wait up to 20 seconds for a new handshake, then look again")


def wrong_source(seen, peer):
    """How many packets had a wrong source, the last one, and whose that is."""
    count = recent(peer, "rx-inner-bad-source")
    if not count or "refused-source" not in peer:
        return None
    return count, address_of(peer["refused-source"]), seen.owner(peer["refused-source"])


@cause(OF_PEER, "source-not-allowed")
def source_not_allowed(seen, peer):
    found = wrong_source(seen, peer)
    if found and not found[2]:
        count, address, _ = found
        yield (f"{plural(count, 'packet')} of the peer came from other addresses than its allowed "
               f"IPs, the last from {address}",
               f"wg set {seen.name} peer {seen.key(peer)} allowed-ips +{address}, or correct the "
               "source there")


@cause(OF_PEER, "overlapping-allowed-ips")
def overlapping(seen, peer):
    found = wrong_source(seen, peer)
    if found and found[2]:
        count, address, owner = found
        yield (f"{plural(count, 'packet')} of the peer came from other addresses than its allowed "
               f"IPs, the last from {address}, which the peer {owner} has: the two overlap",
               f"wg show {seen.name} allowed-ips")


@cause(OF_PEER, "corrupted")
def corrupted(seen, peer):
    if recent(peer, "rx-data-bad"):
        yield ("packets of its session do not decrypt: something on the way changes them",
               "look for rules that rewrite payload, and for a broken card")


@cause(OF_PEER, "duplicated")
def duplicated(seen, peer):
    if recent(peer, "rx-data-replayed") >= 3:
        yield ("packets of its session come twice, or very late",
               "look for duplicates on the way: tcpdump, bridges, bonds")


@cause(OF_PEER, "inner-garbage")
def inner_garbage(seen, peer):
    if recent(peer, "rx-inner-bad-header", "rx-inner-bad-length"):
        yield ("what it sends inside the tunnel are no IP packets", "look at the program there")


@cause(OF_PEER, "mtu")
def mtu(seen, peer):
    found = seen.outside(peer) if "endpoint" in peer else None
    if not isinstance(found, dict) or found.get("dev") in (None, seen.name):
        return
    room = host.path_mtu(found) - host.overhead(peer["endpoint"]["address"])
    if 0 < room < seen.mtu:
        yield (f"full packets do not fit: the path to {endpoint(peer['endpoint'])} leaves {room} bytes "
               f"for a packet, and the interface's MTU is {seen.mtu}",
               f"ip link set {seen.name} mtu {room}")


def inside(seen, peer):
    """The first address of a prefix of the peer, over IPv4 if there is one."""
    prefixes = sorted(seen.allowed_ips.get(seen.key(peer), []), key=lambda text: ":" in text)
    if not prefixes:
        return None
    network = ipaddress.ip_network(prefixes[0], strict=False)
    return network.network_address + (1 if network.num_addresses > 2 else 0)


@cause(OF_PEER, "no-allowed-ips")
def no_allowed_ips(seen, peer):
    if seen.allowed_ips.get(seen.key(peer)) == []:
        yield ("it has no allowed IPs, so no packet may come from it or go to it",
               f"wg set {seen.name} peer {seen.key(peer)} allowed-ips …")


@cause(OF_PEER, "no-route-inside")
def no_route_inside(seen, peer):
    address = inside(seen, peer)
    if address is None or peer["state"] not in ("unused", "expired") or not seen.addresses \
            or seen.has(peer, "source-not-allowed", "overlapping-allowed-ips"):
        return
    found = host.route(address, 0)
    if isinstance(found, str) or found.get("dev") not in (None, seen.name):
        via = found if isinstance(found, str) else f"it leads to {found['dev']}"
        yield (f"no packet comes to the tunnel: there is no route to {address}, which is in the peer's "
               f"allowed IPs, into {seen.name} ({via})",
               f"ip route add {address} dev {seen.name}")


@cause(OF_PEER, "reverse-path")
def reverse_path(seen, peer):
    address = inside(seen, peer)
    if peer.get("rx-packets", 0) and address is not None and address.version == 4 \
            and host.reverse_path(seen.name):
        found = host.route(address, 0)
        if isinstance(found, dict) and found.get("dev") not in (None, seen.name):
            yield (f"packets from the peer are dropped: the route to {address} leads to "
                   f"{found['dev']}, and rp_filter on {seen.name} is strict",
                   f"sysctl net.ipv4.conf.{seen.name}.rp_filter=2, or route {address} into "
                   f"{seen.name}")


@cause(OF_PEER, "forwarding")
def forwarding(seen, peer):
    if peer["state"] == "session" and not host.sysctl("net/ipv4/ip_forward") \
            and host.bad_addresses() > seen.bad_addresses and not seen.is_forwarding_told:
        seen.is_forwarding_told = True
        yield ("packets out of the tunnel are for other hosts, and this one does not forward",
               "sysctl net.ipv4.ip_forward=1")
