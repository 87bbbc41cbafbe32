# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble with a peer."""

import ipaddress

import causes
import host
from causes import (OF_PEER, SOON, address_of, cause, duration, endpoint, is_unanswered, plural, recent,
                    wants_session)
from of_interface import is_us
from of_way import way
from of_wire import EXPLAINED


# Milliseconds in which moves are counted.
MINUTE = 60_000


@cause(OF_PEER, "no-endpoint")
def no_endpoint(seen, peer):
    if "endpoint" not in peer and (recent(peer, "tx-no-endpoint") or peer.get("keepalive")):
        yield ("it is not known where the peer is, and it has not spoken yet",
               f"wg set {seen.name} peer {seen.key(peer)} endpoint ADDRESS:PORT, or have it begin",
               not recent(peer, "tx-no-endpoint"))


@cause(OF_PEER, "endpoint-in-tunnel")
def endpoint_in_tunnel(seen, peer):
    found = seen.outside(peer)
    if isinstance(found, dict) and found.get("dev") == seen.name and not seen.is_flowing(peer):
        yield (f"the route to its endpoint {endpoint(peer['endpoint'])} leads into the tunnel itself",
               "set a route to the endpoint outside, or a fwmark and a rule as wg-quick does")


@cause(OF_PEER, "endpoint-is-us")
def endpoint_is_us(seen, peer):
    if is_us(seen, peer):
        yield (f"its endpoint {endpoint(peer['endpoint'])} is this interface itself",
               f"wg set {seen.name} peer {seen.key(peer)} endpoint ADDRESS:PORT, the other side's")


@cause(OF_PEER, "no-route-outside")
def no_route_outside(seen, peer):
    found = seen.outside(peer)
    if "endpoint" not in peer or recent(peer, "tx-no-socket", within=SOON) or seen.is_flowing(peer):
        return
    address = address_of(peer["endpoint"]["address"])
    if isinstance(found, str):
        yield (f"there is no route to its endpoint {endpoint(peer['endpoint'])}: {found}",
               f"ip route get {seen.way_out(peer).words().removeprefix('route get ')}",
               seen.is_route_unsure(peer))
    elif recent(peer, "tx-no-route", within=SOON):
        if seen.has(peer, "endpoint-here", "endpoint-broadcast"):
            return
        if "dev" in found and wants_session(peer):
            yield (f"datagrams for its endpoint {endpoint(peer['endpoint'])} are refused, though there is "
                   f"a route by {found['dev']}: a policy of IPsec or another rule does it",
                   f"ip xfrm policy; cat /proc/net/xfrm_stat; ip rule; ip route get {address}")
        else:
            yield (f"there is no route to its endpoint {endpoint(peer['endpoint'])}: there was none",
                   f"ip route get {address}")


@cause(OF_PEER, "no-socket")
def no_socket(seen, peer):
    if recent(peer, "tx-no-socket", within=SOON) and not seen.has(peer, "port-taken"):
        yield (f"no socket here can send to {endpoint(peer['endpoint'])}"
               if "endpoint" in peer else "no socket can send to it",
               "is IPv6 switched off here? Give the peer an endpoint of the other family")


@cause(OF_PEER, "preshared-key")
def preshared_key(seen, peer):
    if (peer["state"] != "session" or wants_session(peer)) and recent(peer, "rx-response-bad"):
        yield ("its responses do not decrypt: the preshared keys of the two sides differ",
               f"wg set {seen.name} peer {seen.key(peer)} preshared-key FILE, the same on both sides")


@cause(OF_PEER, "clock")
def clock(seen, peer):
    found = recent(peer, "rx-initiation-replayed", within=SOON)
    # One of the moment when a session began is a duplicate of the datagram that began it.
    if found and found.count >= 2 and peer.get("session-age", found.age + 500) >= found.age + 500:
        yield (f"its handshakes are older than one that was accepted, {found}: its clock went back, or "
               "two hosts have its key", "set the clock there, or remove and add the peer here")


@cause(OF_PEER, "our-clock")
def our_clock(seen, peer):
    # Timestamps never fall while a peer is configured. But they begin with the clock, and many
    # machines without a battery for theirs begin in 1970.
    if wants_session(peer) and host.is_clock_behind():
        yield ("our clock is behind: it shows a time before wgwhy was installed. A peer that has "
               "accepted later handshakes of ours refuses these as replays", "set the clock here")


@cause(OF_PEER, "two-hosts-one-key")
def two_hosts(seen, peer):
    if peer.get("recent-moves", 0) >= causes.MANY_MOVES:
        # A host that roams keeps its session, and does not go back at once. Two hosts have one
        # each.
        is_new = peer.get("session-age", MINUTE) < MINUTE \
            and peer.get("handshakes-answered", 0) >= peer["recent-moves"]
        is_fight = is_new or peer.get("endpoint-source") == "initiation" or seen.has_returned(peer)
        yield (f"it moves between addresses, {plural(peer['recent-moves'], 'time')} in the last "
               f"minute, now at {endpoint(peer['endpoint'])}: two hosts use its key, unless it roams",
               "give each host a key of its own", not is_fight)


def begun(peer):
    """How often, and since when, we have tried to reach a peer."""
    count = plural(peer["attempt"], "handshake") if "attempt" in peer else "handshakes"
    if peer["state"] == "given-up" or "attempts-age" not in peer:
        return f"{count} begun"
    return f"{count} begun in the last {duration(peer['attempts-age'])}"


def pinned(seen, peer):
    """What to add of an endpoint that stays where the peer may not be any more."""
    is_fixed = peer.get("pin") == "fixed"
    if "endpoint" not in peer or not is_fixed and (peer.get("pin") != "with-handshakes" or peer["state"] != "session"):
        return ""
    known = {endpoint(one["endpoint"]) for one in seen.peers if "endpoint" in one}
    came = [endpoint({"address": one.source.packed, "port": one.sport}) for one in seen.messages
            if one.kind == "initiation" and seen.is_for_us(one)]
    others = [place for place in came if place not in known]
    speaks = f", and it speaks from {others[-1]}" if others and seen.growth(peer, "handshakes-answered") else ""
    return f" (its endpoint is pinned to {endpoint(peer['endpoint'])}{speaks})"


@cause(OF_PEER, "unanswered")
def unanswered(seen, peer):
    if not is_unanswered(peer) or seen.has(peer, *EXPLAINED, "preshared-key", "our-clock"):
        return
    place = endpoint(peer["endpoint"])
    if peer.get("cookies"):
        yield (f"{begun(peer)} towards {place}, and only {plural(peer['cookies'], 'cookie')} came "
               "back: it is under load", "wait, or look there what floods it")
        return
    over = ""
    if peer["state"] == "given-up":
        over = f", given up {duration(peer.get('initiation-age', 0))} ago"
    hint = "".join(f" (a rule in {drop.place} has dropped {drop.count})"
                   for drop in seen.blocking(peer))
    device = way(seen, peer).get("dev")
    before = seen.earlier.tc_drops if seen.earlier else {}
    hint += "".join(f" (tc has dropped {count} on {where}, {kind})" for (where, kind), count
                    in seen.tc_drops.items() if where == device and count > before.get((where, kind), 0))
    if device and "xdp" in host.link(device):
        hint += f" (there is a program of XDP on {device}, which may drop it unseen)"
    # A response only confirms the address that was configured.
    nat, is_learnt = "", peer.get("endpoint-source") in ("initiation", "data")
    # A host that came by itself has left: it comes again by itself. One that is kept alive is
    # wanted.
    is_away = is_learnt and peer["state"] == "given-up" and not peer.get("keepalive")
    if is_learnt and not peer.get("keepalive"):
        nat = "; if it is behind a NAT, persistent-keepalive 25 there"
    if not is_learnt:
        nat = "; wg looks a name of an endpoint up only once: if it has moved, set it again"
    if host.is_clock_unsynchronized():
        nat += "; the clock here is not synchronized: if it was later once, set it (date)"
    else:
        nat += "; if the clock here was later once, set it (date)"
    hint += pinned(seen, peer)
    yield (f"{begun(peer)} towards {place}, nothing came back{over}: it is unreachable, something "
           f"blocks, or one of the keys is wrong{hint}",
           "see whether that address is right, and the port open on the way and there; its key must "
           f"be {seen.key(peer)}, and there ours "
           f"{host.key_text(seen.interface.get('public-key', b''))}{nat}", is_away)


@cause(OF_PEER, "answer-lost")
def answer_lost(seen, peer):
    if peer["state"] == "answered" == seen.before(peer).get("state") \
            and peer.get("handshakes-answered", 0) >= 2 and not seen.has(peer, "firewall"):
        yield ("its handshakes are answered, but it never uses a session: our answers do not arrive, "
               f"or the preshared keys differ{pinned(seen, peer)}",
               "compare preshared keys; see whether answers reach "
               + (endpoint(peer["endpoint"]) if "endpoint" in peer else "it"))


@cause(OF_PEER, "silent")
def silent(seen, peer):
    if peer["state"] != "session" or not seen.still_awaiting(peer) \
            or seen.has(peer, *EXPLAINED, "unanswered"):
        return
    place = endpoint(peer["endpoint"])
    if seen.key(peer) in seen.since:
        yield (f"{place} answers handshakes, and nothing else comes back: something drops data on the way "
               "or there", "look for rules on the way and there that pass only some datagrams, and run "
               "wgwhy there")
        return
    yield (f"data is sent to {place}, and nothing comes back: the other side "
           f"is gone, has no session any more, or what it sends does not arrive{pinned(seen, peer)}",
           "wait up to 20 seconds for a new handshake, then look again")


def wrong_source(seen, peer):
    """The packets with a wrong source, the last one, and the peer that has it."""
    found = recent(peer, "rx-inner-bad-source")
    if not found or "refused-source" not in peer:
        return None
    owner = seen.owner(peer["refused-source"])
    if owner and owner["public-key"] == peer["public-key"]:
        # It was added meanwhile.
        return None
    address = ipaddress.ip_address(peer["refused-source"])
    # Other systems ask all tunnels for routers and groups, from addresses that nobody routes.
    if address.is_unspecified or address.is_link_local and not any(
            ipaddress.ip_address(one).is_link_local for one in seen.addresses or []):
        return None
    return found, address_of(peer["refused-source"]), owner


@cause(OF_PEER, "source-not-allowed")
def source_not_allowed(seen, peer):
    found = wrong_source(seen, peer)
    if found and not found[2]:
        refusals, address, _ = found
        yield (f"{plural(refusals.count, 'packet')} of the peer came from other addresses than its "
               f"allowed IPs, {refusals} from {address}",
               f"wg set {seen.name} peer {seen.key(peer)} allowed-ips "
               f"{seen.more(peer, address)}, or correct the source there", is_past(seen, peer, refusals))


@cause(OF_PEER, "overlapping-allowed-ips")
def overlapping(seen, peer):
    found = wrong_source(seen, peer)
    if found and found[2]:
        refusals, address, owner = found
        yield (f"{plural(refusals.count, 'packet')} of the peer came from other addresses than its "
               f"allowed IPs, {refusals} from {address}, which the peer {seen.title(owner)} has: the "
               "two overlap", f"wg show {seen.name} allowed-ips", is_past(seen, peer, refusals))


def is_past(seen, peer, refusals):
    """Whether only a few packets were refused, and none between the two looks."""
    before = recent(seen.before(peer), "rx-inner-bad-source")
    return not is_much(peer, refusals) and before is not None and before.count == refusals.count


def is_much(peer, refusals):
    """Whether one packet of a hundred was refused."""
    return refusals.count * 100 >= peer.get("rx-packets", 0)


@cause(OF_PEER, "corrupted")
def corrupted(seen, peer):
    found = recent(peer, "rx-data-bad")
    if found and is_much(peer, found):
        yield (f"packets of its session do not decrypt, {found}: something on the way changes them",
               "look for rules that rewrite payload, and for a broken card")


@cause(OF_PEER, "duplicated")
def duplicated(seen, peer):
    found = recent(peer, "rx-data-replayed")
    if found and found.count >= 3 and is_much(peer, found):
        yield (f"packets of its session come twice, or very late, {found}",
               "look for duplicates on the way: tcpdump, bridges, bonds")


@cause(OF_PEER, "inner-garbage")
def inner_garbage(seen, peer):
    found = recent(peer, "rx-inner-bad-header", "rx-inner-bad-length")
    if found and is_much(peer, found):
        yield f"what it sends inside the tunnel are no IP packets, {found}", "look at the program there"


@cause(OF_PEER, "mtu")
def mtu(seen, peer):
    found = seen.outside(peer)
    if not isinstance(found, dict) or found.get("dev") in (None, seen.name):
        return
    room = host.path_mtu(found) - host.overhead(peer["endpoint"]["address"])
    if 0 < room < seen.mtu:
        yield (f"full packets leave in fragments: the path to {endpoint(peer['endpoint'])} leaves "
               f"{room} bytes for a packet, and the interface's MTU is {seen.mtu}",
               f"ip link set {seen.name} mtu {room}", seen.is_route_unsure(peer))


@cause(OF_PEER, "mtu")
def black_hole(seen, peer):
    """Connections through a tunnel that passes small packets only."""
    if peer["state"] != "session" or not seen.is_flowing(peer) or seen.has(peer, "mtu"):
        return
    stuck = [there for ours, there in seen.backing_off if ours in (seen.addresses or [])
             and seen.networks(peer).covers(ipaddress.ip_address(there))]
    if stuck:
        yield (f"connections to {', '.join(sorted(set(stuck))[:3])} send the same again and again, and the session "
               "lives: large packets may be lost on the way", f"ip link set {seen.name} mtu 1280, and try again", True)


@cause(OF_PEER, "no-allowed-ips")
def no_allowed_ips(seen, peer):
    if seen.allowed_ips.get(seen.key(peer)) == []:
        is_unused = "endpoint" not in peer and not any(
            peer.get(name) for name in ("rx-packets", "tx-packets", "handshakes-begun", "handshakes-answered"))
        yield ("it has no allowed IPs, so no packet may come from it or go to it",
               f"wg set {seen.name} peer {seen.key(peer)} allowed-ips …"
               + (f"; an address belongs to the peer that got it last; see wg show {seen.name} allowed-ips"
                  if any(seen.allowed_ips.values()) else ""), is_unused)


@cause(OF_PEER, "refused")
def odd_refusals(seen, peer):
    # The other causes name the interface in what to try.
    del seen
    yield from causes.odd(peer, "peer")
