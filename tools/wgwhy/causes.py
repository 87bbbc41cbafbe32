# SPDX-License-Identifier: GPL-2.0
"""From what the kernel and the host know to sentences: what all causes share.

Each function with @cause, in of_interface.py and of_peer.py, looks at one kind of trouble and
yields (what is wrong, what to try). A third value that is true makes it a note: something that need
not be a trouble.
"""

import ipaddress
import typing

import schema

RECENT = 180_000
SOON = 15_000

# So often in a minute, a peer moves that one speaks of.
MANY_MOVES = 3

# Reasons that have no cause of their own.
ODD = ("low-order-key", "no-memory", "rx-rng-not-ready", "tx-encrypt", "tx-segmentation",
       "tx-queue-full", "rx-data-queue-full", "rx-data-counter-limit", "rx-initiation-bad-static",
       "rx-initiation-bad-timestamp")

OF_INTERFACE, OF_PEER = [], []


def cause(places, name):
    def keep(function):
        places.append((name, function))
        return function
    return keep


class Refusals(typing.NamedTuple):
    """How often something was refused since the interface or peer was made, and when last."""

    count: int
    age: int

    def __str__(self):
        return f"the last {duration(self.age)} ago"


def recent(facts, *reasons, within=RECENT):
    """The refusals for these reasons, if one was lately, and since a peer's session began."""
    within = min(within, facts.get("session-age", within))
    found = [entry for entry in facts.get("refusal", [])
             if entry["reason"] in reasons and entry["age"] <= within]
    return Refusals(sum(entry["count"] for entry in found),
                    min(entry["age"] for entry in found)) if found else None


def odd(facts, kind):
    """Yields a sentence for each recent refusal that no other cause is about."""
    for reason in ODD:
        found = recent(facts, reason, within=SOON)
        if found and reason == "low-order-key":
            yield f"its public key is no valid key ({found})", "ask for its real public key"
        elif found:
            yield (f"{plural(found.count, 'packet')} of this {kind} were refused, {found}: "
                   f"{schema.REASONS[reason].removesuffix('.')}",
                   "see dead-tunnel.md in the documents of the module")


def far_end(network, address):
    """The last address of a network that a host can have, or the only one."""
    return network[-2] if network.num_addresses > 2 else address


def second(network, address):
    """The next address of a network, where the first may be this host's; or the only one."""
    return address + 1 if network.num_addresses > 4 else address


def wants_session(peer):
    return peer["state"] in ("waiting", "given-up", "answered") or peer.get("attempt", 0) >= 2


def is_unanswered(peer):
    is_known = peer["state"] in ("waiting", "given-up", "session") and "endpoint" in peer
    # An older module does not say it in each state.
    return is_known and peer.get("attempt", 0 if peer["state"] == "session" else 9) >= 2


def is_idle(peer):
    return peer["state"] in ("unused", "expired", "reset")


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
