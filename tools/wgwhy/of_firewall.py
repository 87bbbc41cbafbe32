# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble in the rules of nftables."""

import ipaddress

import causes
import firewall
import host
import passed
from causes import OF_INTERFACE, OF_PEER, cause, is_unanswered, plural


def accounts(seen, drop):
    """Whether a rule drops most of what comes out of the tunnel, or all that is to go into it.

    What others may not send through this host need not be a trouble.
    """
    came, hook = seen.total("rx-packets"), firewall.hook_of(seen.rules, drop)
    return drop.is_wide and (hook in ("prerouting", "input") and 0 < came <= 2 * seen.grown(drop)
                             or hook in ("output", "postrouting") and not sends_data(seen))


def sends_data(seen):
    """Whether more goes into the tunnel than keepalives and handshakes."""
    return any(seen.sends_data(peer) for peer in seen.peers)


@cause(OF_INTERFACE, "firewall-inside")
def firewall_inside(seen):
    is_asked = any(drop.addresses for drop in seen.drops.values())
    networks = [seen.networks(peer) for peer in seen.peers] if is_asked else []
    found = [drop for drop in seen.drops.values() if seen.grown(drop) > 0
             and (drop.names(seen.name) or any(drop.is_inside(some) for some in networks))]
    for drop in found:
        yield (f"a rule of the firewall here, in {drop.place}, drops packets of the tunnel, "
               f"{drop.count} up to now", "nft list ruleset", not accounts(seen, drop))
    if found or seen.earlier is None:
        return
    came, lost = seen.total("rx-packets"), seen.undelivered - seen.earlier.undelivered
    if seen.receives_data() and 2 * lost >= came and not sends_data(seen):
        yield from inside(seen, "input", f"{plural(lost, 'packet')} that came did not arrive", "iifname")
    elif seen.unsent > seen.earlier.unsent and not sends_data(seen):
        unsent = plural(seen.unsent - seen.earlier.unsent, "packet")
        yield from inside(seen, "output", f"{unsent} did not leave", "oifname")


def inside(seen, hook, evidence, match):
    """The chains that let nothing out of the tunnel, or into it, and do not count it."""
    flows = [firewall.Flow(hook, 0, 0, ("new", "established"), one, seen.name)
             for one in seen.addresses_inside()]
    for place, _ in (found for flow in flows
                     for found in (*firewall.shut(seen.rules, flow), *firewall.closed(seen.rules, flow))):
        yield (f"the firewall here drops packets of the tunnel, in {place}, which lets nothing pass that has "
               f"to do with {seen.name}: {evidence} in this moment",
               f"nft insert rule {place} {match} {seen.name} accept")
        return


def versions_outside(seen):
    """The versions of IP that this host has addresses of for others; both where none is known."""
    outside = map(ipaddress.ip_address, seen.all_addresses - set(seen.addresses or []))
    return sorted({one.version for one in outside if not one.is_link_local and not one.is_loopback}) or [4, 6]


def closing(seen):
    """(place, rule, its count, version of IP) of what lets nobody begin at the port: no rule where
    it is a policy, no version where none is left."""
    found = {}
    for version in versions_outside(seen):
        flow = firewall.Flow("input", None, seen.port, version=version)
        found[version] = [*firewall.shut(seen.rules, flow), *firewall.closed(seen.rules, flow)]
    open_for = [version for version, places in found.items() if not places]
    told = []
    for version, places in found.items():
        for place, rule in places:
            if (place, rule) not in told:
                told.append((place, rule))
                yield place, rule, firewall.count(rule) or 0, version if open_for else None


def is_heard(seen):
    """Whether a peer has ever come through to this interface."""
    return any(peer.get("rx-packets") or peer.get("handshakes-answered") for peer in seen.peers)


def is_blocked(seen, rule, count):
    """Whether a rule that names the port drops what comes to it: peers, if there was none yet."""
    drop = firewall.drop_of(rule) if rule else None
    if not count or not drop.has(seen.port):
        return False
    return not is_heard(seen) or seen.grown(drop) > 0 and not any(map(seen.is_flowing, seen.peers))


def are_strangers(seen, unheard):
    """Whether others than the peers begin these handshakes, as far as that is known: peers that
    have come through."""
    known = {ipaddress.ip_address(peer["endpoint"]["address"]) for peer in seen.peers if "endpoint" in peer}
    return is_heard(seen) and not any(one.source in known for one in unheard)


@cause(OF_INTERFACE, "port-blocked")
def port_blocked(seen):
    if not seen.is_outside_here or not seen.peers:
        return
    waits = any(peer["state"] == "no-endpoint" for peer in seen.peers)
    for place, rule, count, version in closing(seen):
        unheard = [one for one in seen.unheard() if version in (None, one.target.version)]
        is_sure = is_blocked(seen, rule, count) or bool(unheard) and not are_strangers(seen, unheard)
        of_one = f" by IPv{version}" if version else ""
        if not is_sure and (is_heard(seen) or any(map(causes.wants_session, seen.peers))):
            continue
        if rule:
            counted = f" ({count} so far)" if count and firewall.drop_of(rule).has(seen.port) else ""
            yield (f"a rule in {place} drops what comes to the port {seen.port}{of_one}{counted}",
                   f"nft insert rule {place} udp dport {seen.port} accept",
                   not is_sure and not (waits and not version))
        else:
            yield (f"the firewall here drops what comes to the port {seen.port}{of_one}: the policy of "
                   f"{place} is drop, and nothing in that table accepts the port",
                   f"nft add rule {place} udp dport {seen.port} accept",
                   not is_sure and not (waits and not version))
        return
    unheard = seen.unheard()
    apart = passed.in_vrf(unheard)
    if apart:
        yield (f"handshakes of {unheard[-1].source} come to the port {seen.port} by {apart[0]}, which belongs to "
               f"the VRF {apart[1]}, and the sockets of {seen.name} hear nothing of it", passed.L3MDEV,
               are_strangers(seen, unheard))
    elif unheard:
        yield (f"handshakes of {unheard[-1].source} come to the port {seen.port} of this host, and not to the "
               "interface: a firewall in prerouting or input, tc or rp_filter drops them here, or a NAT rule "
               "leads them elsewhere",
               "nft list ruleset; iptables-legacy-save -c; tc filter show dev DEVICE ingress",
               are_strangers(seen, unheard))


def forwarded(seen):
    """The versions of IP that this host forwards."""
    return [version for version in (4, 6) if host.sysctl(f"net/ipv{version}/conf/{seen.name}/forwarding")]


@cause(OF_INTERFACE, "forward-blocked")
def forward_blocked(seen):
    if not seen.earlier or seen.unsent <= seen.earlier.unsent or not seen.total("rx-packets") \
            or not forwarded(seen):
        return
    others = host.default_devices()
    for place in dict.fromkeys(place for version in forwarded(seen) for place in
                               firewall.closed_for_devices(seen.rules, seen.name, version, others)):
        yield (f"this host forwards packets and some do not leave; the policy of {place} is drop, and "
               f"nothing in that table accepts what comes out of {seen.name}",
               f"nft add rule {place} iifname {seen.name} accept, and the same with oifname", True)


@cause(OF_PEER, "firewall")
def drops_here(seen, peer):
    counted = [drop for drop in seen.blocking(peer) if seen.grown(drop) > 0 and passed.may_be_here(seen, peer)]
    for drop in counted:
        yield (f"a rule of the firewall here, in {drop.place}, drops datagrams of the tunnel, "
               f"{drop.count} up to now", "nft list ruleset")
    if counted or not is_unanswered(peer) or not seen.is_outside_here:
        return
    ours, theirs = seen.port, peer["endpoint"].get("port", 0)
    address = ipaddress.ip_address(peer["endpoint"]["address"])
    found = seen.outside(peer)
    device = found.get("dev", "") if isinstance(found, dict) else ""
    for flow in (firewall.Flow("output", ours, theirs, ("new",), address, device),
                 firewall.Flow("input", theirs, ours, ("new", "established"), address, device)):
        for place, rule in firewall.shut(seen.rules, flow):
            count = firewall.count(rule)
            # One that counts and has not counted is not reached.
            if count is None or seen.grown(firewall.drop_of(rule)) > 0:
                yield (f"a rule of the firewall here, in {place}, drops datagrams of the tunnel"
                       + ("; it has no counter" if count is None else f", {count} up to now"), "nft list ruleset")
                return
        for place, _ in firewall.closed(seen.rules, flow):
            match = f"udp dport {theirs}" if flow.hook == "output" else "ct state established"
            yield (f"the firewall here drops datagrams of the tunnel: the policy of {place} is drop, and "
                   "nothing in that table accepts them", f"nft add rule {place} {match} accept")
            return
