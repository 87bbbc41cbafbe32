# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble that show in what passes the devices of this host while it looks."""

import ipaddress

import host
from host import Way
from causes import OF_PEER, SOON, address_of, cause, duration, endpoint, is_unanswered, recent, wants_session
from of_way import HINDERS, way
from passed import L3MDEV, answers, has_left, in_vrf

# With one of these, it is known why nothing comes back.
EXPLAINED = (*HINDERS, "firewall", "dropped-here", "late-answer", "bad-checksums")

# What is counted of an answer that is refused as it comes too late.
LATE = ("rx-response-unknown-index", "rx-response-superseded", "handshake-wrong-state")

# Milliseconds after which an initiation has left.
LEFT_AFTER = 300

KEEPALIVE, INITIATION, RESPONSE = 32, 148, 92

# What an error of ICMP says, by its code.
NO_PORT = {4: (2, 3), 6: (4,)}
FORBIDDEN = {4: (9, 10, 13), 6: (1, 5, 6)}


def errors(seen, peer):
    """What hosts and routers have sent back for datagrams to a peer."""
    place = peer["endpoint"]
    return seen.errors.get((ipaddress.ip_address(place["address"]), place.get("port", 0)), [])


@cause(OF_PEER, "port-unreachable")
def port_unreachable(seen, peer):
    if "endpoint" not in peer or seen.is_flowing(peer) or not (wants_session(peer) or peer.get("awaiting")):
        return
    found = errors(seen, peer)
    if not found:
        return
    last, place = found[-1], endpoint(peer["endpoint"])
    if last.code in FORBIDDEN[last.target.version]:
        yield (f"{last.source} forbids datagrams to {place}", f"look at the firewall of {last.source}")
    elif last.code not in NO_PORT[last.target.version]:
        yield (f"{last.source} has no way to {place}, and says so",
               f"look at the routes of {last.source}, and whether that address is right")
    else:
        what = f"its port {peer['endpoint'].get('port', 0)}" if last.source == last.target else place
        yield (f"{last.source} answers that nothing listens on {what}",
               "is the interface up there? Compare the port with the listen-port there; a firewall that "
               "rejects looks the same")


@cause(OF_PEER, "late-answer")
def late_answer(seen, peer):
    if is_unanswered(peer) and answers(seen, peer) and seen.is_refused_again(*LATE, peer=peer):
        yield (f"answers of {endpoint(peer['endpoint'])} come later than the five seconds after which the "
               "next handshake begins: something on the way delays them",
               f"ping {address_of(peer['endpoint']['address'])}")


@cause(OF_PEER, "reverse-path-outside")
def reverse_path_outside(seen, peer):
    """Where no mark is in play: the way back is by another device."""
    if not is_unanswered(peer) or seen.more_counted("reverse-path") <= 0 or seen.has(peer, "reverse-path-outside"):
        return
    for device in sorted({one.device for one in answers(seen, peer)}):
        if host.is_strict(device):
            yield (f"answers of {endpoint(peer['endpoint'])} come by {device} and are dropped: rp_filter there "
                   f"is strict, and datagrams for it leave by {way(seen, peer).get('dev', 'another device')}",
                   f"sysctl net/ipv4/conf/{device}/rp_filter=2, or route {address_of(peer['endpoint']['address'])} "
                   f"by {device}")


@cause(OF_PEER, "bad-checksums")
def bad_checksums(seen, peer):
    count = seen.more_counted("checksum")
    if count > 0 and is_unanswered(peer) and answers(seen, peer):
        yield (f"{count} datagrams came with a wrong checksum while {endpoint(peer['endpoint'])} answered: "
               "something on the way, or a card here, changes them",
               "try without the card's offloads: ethtool -K DEVICE rx off; nstat -az UdpInCsumErrors")


@cause(OF_PEER, "dropped-here")
def dropped_here(seen, peer):
    if not seen.is_wire_open or not is_unanswered(peer) or not way(seen, peer) \
            or recent(peer, "tx-no-socket", "tx-no-route", within=SOON) \
            or seen.has(peer, *EXPLAINED, "port-blocked"):
        return
    place = endpoint(peer["endpoint"])
    is_begun = seen.growth(peer, "handshakes-begun") > 0 and peer.get("initiation-age", 0) > LEFT_AFTER
    if is_begun and seen.is_wire_whole and not has_left(seen, peer, "initiation") and not host.has_ipsec():
        yield (f"this host itself drops or holds the datagrams for {place}: no handshake has left it in "
               f"the last {duration(seen.looked_for)}",
               "nft list ruleset; iptables-legacy-save -c; tc -s qdisc show; bpftool cgroup tree")
    elif answers(seen, peer) and not seen.growth(peer, "handshakes-completed") and not seen.growth(peer, "cookies") \
            and not seen.is_refused_again(peer=peer):
        apart = in_vrf(answers(seen, peer))
        if apart:
            yield (f"answers of {place} come to this host by {apart[0]}, which belongs to the VRF {apart[1]}, "
                   f"and the sockets of {seen.name} hear nothing of it", L3MDEV)
            return
        yield (f"answers of {place} come to this host, and it drops them before they reach {seen.name}: a "
               "firewall in prerouting or input, tc or rp_filter does it",
               "nft list ruleset; iptables-legacy-save -c; tc filter show dev DEVICE ingress; nstat -az "
               "TcpExtIPReversePathFilter")


def is_kept_alive(seen, peer):
    """Whether keepalives came, and beside them handshakes only."""
    answered, completed = seen.growth(peer, "handshakes-answered"), seen.growth(peer, "handshakes-completed")
    count = seen.growth(peer, "rx-packets") - answered - completed
    size = seen.growth(peer, "rx-bytes") - INITIATION * answered - RESPONSE * completed
    return count > 0 and size == KEEPALIVE * count


def asked_in_vain(seen, peer, pinged, connections):
    """(address, source) of what pings or connections wait for behind a peer."""
    if not pinged and not connections:
        return []
    networks = seen.networks(peer)
    opened = {ipaddress.ip_address(there): ipaddress.ip_address(ours) for ours, there, *_ in connections}
    opened = {there: ours for there, ours in opened.items() if networks.covers(there)}
    # A route may give another source than the addresses of the device.
    seen.ask({Way(str(there)) for there in opened} - seen.routes.keys())
    opened = {there: ours for there, ours in opened.items()
              if str(ours) in (seen.addresses or []) or seen.leads_in(there)}
    return [one for one in sorted({**pinged, **opened}.items(), key=str) if networks.covers(one[0])]


def may_be_in_vain(seen, peer):
    """Whether a keepalive would show that the other side lives, and nothing inside answers."""
    if peer["state"] != "session" or wants_session(peer):
        return False
    if seen.growth(peer, "rx-packets") and not is_kept_alive(seen, peer):
        return False
    # Between two tries of a connection, nothing is sent.
    is_asked = bool(asked_in_vain(seen, peer, seen.pinged[0], [*seen.opening, *seen.asking]))
    is_seen = seen.sends_data(peer) and is_kept_alive(seen, peer) \
        and bool(asked_in_vain(seen, peer, seen.pinged[1], seen.opening))
    return is_asked and not is_seen


@cause(OF_PEER, "nothing-inside")
def nothing_inside(seen, peer):
    if peer["state"] != "session" or wants_session(peer) or not seen.sends_data(peer) \
            or not is_kept_alive(seen, peer) or seen.has(peer, "firewall-inside", "reverse-path", "silent"):
        return
    found = asked_in_vain(seen, peer, seen.pinged[1], seen.opening)
    if found:
        address, source = found[0]
        is_ours = str(source) in (seen.addresses or [])
        is_near = any(address in network for network in host.own_networks(seen.name))
        of_far = "" if is_near else "; there, that it forwards and translates (masquerade), or the target itself is down"
        of_other = "" if is_ours else f" from {source}, which is no address of {seen.name},"
        yield ("the other side has the session and sends only keepalives, while pings or connections from "
               f"here to {address}{of_other} get no answer: its allowed IPs for us, its firewall inside the "
               f"tunnel, or its route back{of_far}", "run wgwhy there; its allowed IPs for us must have "
               f"{' and '.join(seen.addresses) if is_ours else source}")


def passed_on(seen, messages):
    """The pings out of the tunnel that leave for others as they are, and were not answered."""
    came = {(one.source, one.target) for one in seen.messages
            if (one.kind, one.is_out, one.device) == ("echo", False, seen.name)}
    answered = {one.source for one in seen.messages if one.kind == "reply" and not one.is_out}
    return [one for one in messages if (one.kind, one.is_out) == ("echo", True) and one.device != seen.name
            and one.target not in answered and (one.source, one.target) in came]


@cause(OF_PEER, "untranslated")
def untranslated(seen, peer):
    """At the far end: the others do not know the way back."""
    networks = seen.networks(peer)
    for one in passed_on(seen, seen.settled):
        if not networks.covering(ipaddress.ip_network(one.source)):
            continue
        yield (f"what comes out of the tunnel leaves by {one.device} untranslated, from {one.source} for "
               f"{one.target}, and gets no answer",
               f"translate it: nft add rule … oifname {one.device} masquerade; or set a route back to {one.source} "
               "there", not one.target.is_global or one.source.is_global)
        return
