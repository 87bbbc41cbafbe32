# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble on this host's way to a peer's endpoint, and back."""

import host
import passed
from causes import OF_PEER, address_of, cause, endpoint, wants_session

# With one of these, there can be no answer. Those of this file come first.
HINDERS = ("link-down", "next-hop", "reverse-path-outside", "tc-drops", "endpoint-in-tunnel",
           "endpoint-is-us", "no-route-outside", "no-socket", "port-taken", "conntrack-full",
           "port-unreachable", "endpoint-here", "endpoint-broadcast")


def way(seen, peer):
    """The route to the endpoint of a peer that is missed; nothing if it is none to another host."""
    found = seen.outside(peer)
    if not isinstance(found, dict) or found.get("type", "unicast") != "unicast" \
            or found.get("dev") in (None, seen.name):
        return {}
    return found if wants_session(peer) or peer.get("awaiting") else {}


def place_here(seen, peer, kind):
    """The endpoint of a peer that is missed, if the route to it is of this kind."""
    found = seen.outside(peer)
    return endpoint(peer["endpoint"]) if wants_session(peer) and isinstance(found, dict) \
        and found.get("type") == kind else None


@cause(OF_PEER, "endpoint-here")
def endpoint_here(seen, peer):
    place = place_here(seen, peer, "local")
    port = peer.get("endpoint", {}).get("port", 0)
    if place and port != seen.port and not host.has_socket(port):
        yield (f"its endpoint {place} is an address of this host, where nothing listens on the port {port}",
               f"wg set {seen.name} peer {seen.key(peer)} endpoint ADDRESS:PORT, the other side's, or start "
               "the program that is to carry it on")


@cause(OF_PEER, "endpoint-broadcast")
def endpoint_broadcast(seen, peer):
    place = place_here(seen, peer, "broadcast") or place_here(seen, peer, "multicast")
    if place:
        yield (f"its endpoint {place} is the address of a whole network or group, not of a host",
               f"wg set {seen.name} peer {seen.key(peer)} endpoint ADDRESS:PORT, the other side's")


@cause(OF_PEER, "link-down")
def link_down(seen, peer):
    device = way(seen, peer).get("dev")
    if device and "NO-CARRIER" in host.link(device).get("flags", []):
        yield (f"{device}, by which datagrams leave for {endpoint(peer['endpoint'])}, has no carrier",
               f"see what {device} is connected to: ip link show dev {device}")


@cause(OF_PEER, "next-hop")
def next_hop(seen, peer):
    found = way(seen, peer)
    if not found or seen.has(peer, "link-down"):
        return
    hop = found.get("gateway") or found.get("via", {}).get("host") or address_of(peer["endpoint"]["address"])
    states = host.neighbour(hop, found["dev"])
    if "FAILED" in states or "INCOMPLETE" in states:
        yield (f"nobody on {found['dev']} answers for {hop}, to which datagrams for "
               f"{endpoint(peer['endpoint'])} go first",
               f"see whether {hop} is up, and in the network of {found['dev']}: ip neigh show dev {found['dev']}")


@cause(OF_PEER, "reverse-path-outside")
def reverse_path_outside(seen, peer):
    found = way(seen, peer)
    asked = seen.way_out(peer) if found else None
    if not asked or not asked.mark or ":" in asked.address or not wants_session(peer):
        return
    back = seen.routes.get(asked._replace(mark=0), {})
    is_other = isinstance(back, str) or back.get("dev", found["dev"]) != found["dev"]
    marks = max(host.sysctl(f"net/ipv4/conf/{part}/src_valid_mark") for part in ("all", found["dev"]))
    if is_other and not marks and host.reverse_path(found["dev"]):
        yield (f"what comes from {endpoint(peer['endpoint'])} is dropped: rp_filter on {found['dev']} is "
               "strict, and the route back is another without the mark "
               f"({back if isinstance(back, str) else 'it leads to ' + back['dev']})",
               "sysctl net.ipv4.conf.all.src_valid_mark=1, and a rule that marks what comes, as wg-quick "
               f"does; or net/ipv4/conf/{found['dev']}/rp_filter=2")


@cause(OF_PEER, "tc-drops")
def tc_drops(seen, peer):
    device = way(seen, peer).get("dev")
    before = seen.earlier.tc_drops if seen.earlier else {}
    for (where, kind), count in seen.tc_drops.items():
        grown = count - before.get((where, kind), 0)
        # A tunnel that works may go through a netem that loses some; and others are policed.
        is_missed = passed.may_be_here(seen, peer) if wants_session(peer) else \
            seen.still_awaiting(peer) and grown >= seen.growth(peer, "tx-packets")
        if where == device and grown > 0 and is_missed:
            yield (f"tc drops packets on {device} ({kind}), {count} up to now",
                   f"tc -s qdisc show dev {device}; tc filter show dev {device} egress")
