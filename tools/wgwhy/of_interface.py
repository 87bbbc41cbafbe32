# SPDX-License-Identifier: GPL-2.0
"""Causes of trouble with an interface."""

import ipaddress

import causes
import host
from causes import OF_INTERFACE, SOON, cause, endpoint, plural, recent


@cause(OF_INTERFACE, "interface-down")
def interface_down(seen):
    if not seen.interface.get("up") and not host.listeners(seen.port):
        yield "the interface is down", f"ip link set {seen.name} up"


@cause(OF_INTERFACE, "port-taken")
def port_taken(seen):
    is_up = seen.interface.get("up")
    if is_up and not any(recent(peer, "tx-no-socket", within=SOON) for peer in seen.peers):
        return
    lines = host.listeners(seen.port)
    owners = [line.split("users:")[-1] for line in lines if "users:" in line]
    if is_up and len(owners) < len(lines):
        return
    if lines:
        yield (f"{'its sockets are closed' if is_up else 'the interface is down'}, and "
               f"{'another program' if owners else 'another interface'} has its port {seen.port}"
               + (f": {owners[0]}" if owners else ""),
               f"stop that program, or wg set {seen.name} listen-port ANOTHER" if owners else
               f"wg set {seen.name} listen-port ANOTHER")


@cause(OF_INTERFACE, "sockets-gone")
def sockets_gone(seen):
    if seen.is_socket_gone:
        yield "the namespace with its sockets is gone", "make the interface anew"


@cause(OF_INTERFACE, "no-private-key")
def no_private_key(seen):
    if "public-key" not in seen.interface:
        yield "the interface has no private key, so it can talk to nobody", \
            f"wg set {seen.name} private-key FILE"


def not_ours(seen):
    """The module leaves such a peer out without a word, as the C driver does."""
    ours = host.key_text(seen.interface.get("public-key", b""))
    return f"; KEY must be the other side's: a peer with the own key of {seen.name}, {ours}, is ignored" if ours else ""


@cause(OF_INTERFACE, "no-peers")
def no_peers(seen):
    if not seen.interface.get("peers"):
        yield "the interface has no peers", f"wg set {seen.name} peer KEY allowed-ips …{not_ours(seen)}"


@cause(OF_INTERFACE, "no-address")
def no_address(seen):
    if seen.interface.get("up") and seen.addresses == [] and seen.routes_into == []:
        yield "the interface has no address, so this host sends nothing through it", \
            f"ip address add ADDRESS dev {seen.name}"


@cause(OF_INTERFACE, "no-peer-for-destination")
def no_peer_for_destination(seen):
    found, data = recent(seen.interface, "tx-no-peer"), seen.interface.get("refused-destination")
    if not found or data is None or seen.owner(data):
        return
    address = ipaddress.ip_address(data)
    is_broadcast = str(address) == "255.255.255.255" or any(
        address == network.broadcast_address and network.num_addresses > 2 and address.version == 4
        for network in seen.routes_into or [])
    if not address.is_multicast and not is_broadcast:
        yield (f"{plural(found.count, 'packet')} had no peer to go to, the last for {address}, "
               "which is in nobody's allowed IPs",
               f"add {address} to the allowed IPs of the peer that has it, or correct the route to it"
               + not_ours(seen))


@cause(OF_INTERFACE, "unknown-initiator")
def unknown_initiator(seen):
    found = recent(seen.interface, "rx-initiation-unknown-peer")
    key = host.key_text(seen.interface.get("unknown-initiator", b""))
    # Older modules have one place for all refused handshakes.
    remote = seen.interface.get("unknown-initiator-remote", seen.interface.get("refused-remote"))
    if found and key not in seen.by_key and not is_repaired(seen, remote, found):
        yield (f"a host{f' at {endpoint(remote)}' if remote else ''} begins handshakes with the key "
               f"{key}, which is no peer's here, {found}",
               f"wg set {seen.name} peer {key} allowed-ips …, if you know it")


def matters(seen, remote=None):
    """Whether a peer may miss what was refused: one wants a session, or is at that address."""
    return any(causes.wants_session(peer)
               or remote and peer.get("endpoint", {}).get("address") == remote["address"]
               for peer in seen.peers)


def is_repaired(seen, remote, refusals):
    """Whether a peer at that address has begun a session since."""
    return any(remote and peer.get("endpoint", {}).get("address") == remote["address"]
               and peer.get("session-age", refusals.age) < refusals.age for peer in seen.peers)


def is_us(seen, peer):
    """Whether a peer's endpoint is this interface's own socket."""
    found = seen.outside(peer)
    return isinstance(found, dict) and found.get("type") == "local" \
        and peer["endpoint"].get("port") == seen.port


@cause(OF_INTERFACE, "our-key-unknown")
def our_key_unknown(seen):
    found, remote = recent(seen.interface, "rx-bad-mac1"), seen.interface.get("refused-remote")
    if found and not any(is_us(seen, peer) for peer in seen.peers) and not is_repaired(seen, remote, found):
        yield (f"handshakes{f' from {endpoint(remote)}' if remote else ''} are for another public key "
               f"than ours, {found}",
               f"there, the peer's key must be what 'wg show {seen.name} public-key' says here",
               not (matters(seen, remote) or seen.is_refused_again("rx-bad-mac1")))


@cause(OF_INTERFACE, "under-load")
def under_load(seen):
    if seen.interface.get("under-load") or recent(seen.interface, "rx-cookie-sent",
                                                  "rx-rate-limited", within=SOON):
        yield ("too many handshakes come: their senders must prove their addresses first, "
               "or are held back", "wait, or block the sources of the flood")


@cause(OF_INTERFACE, "lost-session")
def lost_session(seen):
    found = recent(seen.interface, "rx-data-unknown-index", within=SOON)
    if found:
        yield ("packets come for a session that is not known here: the other side has not noticed "
               f"that this one began anew ({found})",
               "wait up to 15 seconds, or send something to it", not matters(seen))


@cause(OF_INTERFACE, "not-wireguard")
def not_wireguard(seen):
    found = recent(seen.interface, "rx-bad-type", "rx-bad-length", "rx-bad-datagram")
    if found:
        yield (f"datagrams that are none of WireGuard come to the port {seen.port}, {found}",
               "look who sends them, or what rewrites them: tcpdump -ni any udp port "
               f"{seen.port}", not matters(seen))


@cause(OF_INTERFACE, "conntrack-full")
def conntrack_full(seen):
    most = host.sysctl("net/netfilter/nf_conntrack_max")
    if 0 < most <= host.sysctl("net/netfilter/nf_conntrack_count") and seen.is_outside_here:
        yield (f"the firewall's table of connections is full ({most}), so it drops what is new",
               f"sysctl net.netfilter.nf_conntrack_max={2 * most}, or look what fills it: conntrack -L")


@cause(OF_INTERFACE, "ipv6-off")
def ipv6_off(seen):
    if any(":" in text and not text.endswith("/0") for texts in seen.allowed_ips.values() for text in texts) \
            and host.ipv6_is_off(seen.name):
        yield (f"IPv6 is switched off on {seen.name}, and peers have allowed IPs of IPv6: none of it goes "
               "through the tunnel",
               f"sysctl net/ipv6/conf/{seen.name}/disable_ipv6=0, and add the address anew"
               if host.has_ipv6() else "boot without ipv6.disable=1")


@cause(OF_INTERFACE, "mtu-below-ipv6")
def mtu_below_ipv6(seen):
    if 0 < seen.mtu < 1280 and any(":" in text for texts in seen.allowed_ips.values() for text in texts):
        yield (f"the interface's MTU is {seen.mtu}, and IPv6 takes 1280: none of it is sent through "
               "the tunnel", f"ip link set {seen.name} mtu 1280")


@cause(OF_INTERFACE, "mtu")
def fragments(seen):
    count = seen.more_counted("fragments")
    if count > 0 and seen.is_outside_here:
        yield (f"{plural(count, 'datagram')} came incomplete: fragments are lost on the way; it is a counter of "
               "the whole host, and may count others",
               f"ip link set {seen.name} mtu LESS, here and on the other side; nstat -az IpReasmFails", True)


@cause(OF_INTERFACE, "tc-drops")
def tc_drops(seen):
    before = seen.earlier.tc_drops if seen.earlier else seen.tc_drops
    for (where, kind), count in seen.tc_drops.items():
        # A tunnel that works may have a queue that loses some.
        if where == seen.name and count > before.get((where, kind), 0) and not seen.total("tx-packets"):
            yield (f"tc drops all that is to go into the tunnel ({kind} on {where}), {count} up to now",
                   f"tc -s qdisc show dev {where}; tc filter show dev {where} egress")


@cause(OF_INTERFACE, "not-forwarded")
def not_forwarded(seen):
    """Where only the other direction is wanted: into the tunnel."""
    if not seen.earlier or seen.total("rx-packets") or host.sysctl("net/ipv4/ip_forward") or not seen.routes_into:
        return
    lost = seen.bad_addresses[0] - seen.earlier.bad_addresses[0]
    if lost > 0:
        yield (f"{plural(lost, 'packet')} for other hosts came to this one in this moment, and it does not "
               "forward: if others are to use the tunnel, it must",
               "sysctl net.ipv4.ip_forward=1", True)


@cause(OF_INTERFACE, "could-not-look")
def could_not_look(seen):
    left = sum(map(len, seen.allowed_ips.values())) - sum(map(len, seen.looked_at.values()))
    if left:
        yield (f"{left} of the allowed IPs are too many to be looked at: their routes are not known here",
               "ip route get ADDRESS, for one that gets no answer", True)


@cause(OF_INTERFACE, "refused")
def refused(seen):
    if any(entry["cause"] == "under-load" for entry in seen.found[None]):
        return
    of_peers = {entry["reason"] for peer in seen.peers for entry in peer.get("refusal", [])}
    # A key is a peer's, and one that is gone is no trouble.
    left = [entry for entry in seen.interface.get("refusal", [])
            if entry["reason"] not in (*of_peers, "low-order-key")]
    for what, remedy in causes.odd({"refusal": left}, "interface"):
        yield what, remedy, not matters(seen)
