# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble with the addresses and routes inside a tunnel."""

import causes
import host
from causes import OF_PEER, cause, far_end


@cause(OF_PEER, "own-address")
def own_address(seen, peer):
    for text in seen.allowed_ips.get(seen.key(peer), []):
        address, _, length = text.partition("/")
        if length in ("32", "128") and address in (seen.addresses or []):
            yield (f"its allowed IPs have {address}, which is our own address: packets for that stay "
                   "here", f"wg set {seen.name} peer {seen.key(peer)} allowed-ips …, the other side's")


def astray(seen, peer):
    """Yields an address in each of the peer's prefixes that goes elsewhere, its prefix, and
    where."""
    for network, address in seen.inside(peer):
        found = seen.way_in(address)
        if seen.leads_in(address) or found == {}:
            continue
        if address.version == 6 and seen.has(peer, "mtu-below-ipv6", "ipv6-off"):
            continue
        # A wide prefix may be meant for the narrower routes in it.
        if seen.routes_into and seen.routes_into.has_within(network):
            continue
        # Or a network of this host lies in it, or rules say who uses the tunnel.
        if seen.leads_in(far_end(network, address)) or seen.ruled_routes.covering(network) is not None \
                or stands_by(seen, network, address):
            continue
        if isinstance(found, str):
            yield address, network, found
        elif found.get("dev", seen.name) != seen.name and found.get("type") != "local":
            yield address, network, f"it leads to {found['dev']}"


def network_here(seen, network, address):
    """The device whose own network a peer's prefix lies in, if that is the reason why it goes
    elsewhere."""
    for one in (address, causes.second(network, address)):
        entry = seen.entry_of(one)
        known = host.network_of(entry.get("dst", ""))
        if known and (entry.get("scope"), entry.get("protocol")) == ("link", "kernel") \
                and entry.get("dev", seen.name) != seen.name \
                and known.version == network.version and network.subnet_of(known):
            return entry["dev"]
    return None


@cause(OF_PEER, "network-overlap")
def network_overlap(seen, peer):
    for network, address in seen.inside(peer):
        if seen.leads_in(address) or network.num_addresses == 1 or seen.ruled_routes.covering(network) is not None \
                or stands_by(seen, network, address) or seen.routes_into and seen.routes_into.has_within(network):
            continue
        device = network_here(seen, network, address)
        if device:
            yield (f"{network} is also the network of {device} here, so nothing for it goes into the tunnel",
                   "renumber one of the two, or translate one (NETMAP), or route single hosts of it: "
                   f"ip route add ADDRESS dev {seen.name}")
            return


def stands_by(seen, network, address):
    """Whether a route into the tunnel waits behind the one in use, for the same network."""
    found = seen.main_routes.covering(network)
    used = host.network_of(seen.entry_of(address).get("dst", ""))
    return found is not None and used is not None and used.prefixlen == found


def of_the_host(is_sure):
    """What to add to a sentence by a counter that others may have moved."""
    return "" if is_sure else "; it is a counter of the whole host, and may count others"


@cause(OF_PEER, "reverse-path")
def reverse_path(seen, peer):
    dropped = seen.more_counted("reverse-path")
    if seen.growth(peer, "rx-packets") > 0 and dropped > 0 and host.is_strict(seen.name):
        is_sure = seen.is_swallowed(peer, "reverse-path", dropped)
        for address, network, where in astray(seen, peer):
            if address.version == 4:
                yield (f"packets from the peer are dropped: the route to {address} is another "
                       f"({where}), and rp_filter on {seen.name} is strict{of_the_host(is_sure)}",
                       f"sysctl net/ipv4/conf/{seen.name}/rp_filter=2, or route {network} into "
                       f"{seen.name}", not is_sure)
                return


@cause(OF_PEER, "reverse-path")
def reverse_path_of_any(seen, peer):
    """Where the allowed IPs do not say which route it is."""
    came, dropped = seen.growth(peer, "rx-packets"), seen.more_counted("reverse-path")
    if came > 0 and 2 * dropped >= came and seen.receives_data() and host.is_strict(seen.name) and not seen.has(peer, "reverse-path"):
        is_sure = seen.is_swallowed(peer, "reverse-path", dropped)
        yield (f"packets from the peer are dropped, {dropped} in this moment: the routes to where they come from "
               f"do not lead into {seen.name}, and rp_filter there is strict{of_the_host(is_sure)}",
               f"sysctl net/ipv4/conf/{seen.name}/rp_filter=2, or route what is behind the peer into {seen.name}",
               not is_sure)


@cause(OF_PEER, "no-route-inside")
def no_route_inside(seen, peer):
    if seen.has(peer, "no-address", "source-not-allowed", "overlapping-allowed-ips", "network-overlap") \
            or seen.has_trouble(peer, "reverse-path"):
        return
    bound = seen.bound if seen.routes_into == [] else []
    # Without a route, programs that are bound to the device can use it.
    if seen.routes_into == [] and (seen.sends_data(peer) or seen.growth(peer, "tx-packets") > 0):
        return
    for address, network, where in astray(seen, peer):
        is_apart = bool(seen.routes_into and seen.routes_into.covering(network)) \
            and not seen.main_routes.covering(network)
        yield (f"no packet for {address} comes to the tunnel: it is in the peer's allowed IPs, but its "
               f"route is another ({where})"
               + (f"; the one into {seen.name} is in a table that no rule leads to" if is_apart else ""),
               f"ip rule add to {network} lookup TABLE" if is_apart else
               f"ip route add {network} dev {seen.name}", bool(bound))
        return
    defaults = [text for text in seen.allowed_ips.get(seen.key(peer), []) if text.endswith("/0")]
    if defaults and seen.routes_into == []:
        users = f"{bound[0]}, which is bound to it," if bound else \
            "a program that is bound to it, or a routing daemon,"
        yield (f"no route leads into {seen.name}: unless {users} uses it, nothing comes to the tunnel",
               f"ip route add NETWORK dev {seen.name} for what is to go there; for all, use wg-quick: a "
               "default route alone would take the endpoint into the tunnel, too", True)


@cause(OF_PEER, "no-route-beyond")
def no_route_beyond(seen, peer):
    came, lost = seen.growth(peer, "rx-packets"), seen.more_counted("no-route")
    if peer["state"] == "session" and came <= 2 * lost <= 2 * came and seen.receives_data() \
            and host.sysctl(f"net/ipv4/conf/{seen.name}/forwarding"):
        is_sure = seen.is_swallowed(peer, "no-route", lost)
        yield (f"packets out of the tunnel are for networks that this host has no route to, {lost} in this "
               f"moment{of_the_host(is_sure)}",
               "ip route; add the network's, or correct the allowed IPs and routes of the other side", not is_sure)


@cause(OF_PEER, "forwarding")
def forwarding(seen, peer):
    if peer["state"] != "session" or seen.earlier is None or seen.is_forwarding_told \
            or seen.growth(peer, "rx-packets") <= 0:
        return
    came = sum(seen.growth(one, "rx-packets") for one in seen.peers)
    for number, (family, setting) in enumerate((("ipv4", "net.ipv4.ip_forward"),
                                                ("ipv6", "net.ipv6.conf.all.forwarding"))):
        refused = seen.bad_addresses[number] - seen.earlier.bad_addresses[number]
        is_sure = seen.is_swallowed(peer, f"bad-addresses-{4 + 2 * number}", refused)
        if 0 < refused <= came and not host.sysctl(f"net/{family}/conf/{seen.name}/forwarding"):
            seen.is_forwarding_told = True
            ours = f" ({', '.join(seen.addresses)})" if seen.addresses else ""
            yield (f"packets out of the tunnel are for other addresses than those of this host{ours}, and it "
                   f"does not forward{of_the_host(is_sure)}",
                   f"correct the address here: ip addr show dev {seen.name}; or, if it is a gateway, "
                   f"sysctl {setting}=1", not is_sure)
