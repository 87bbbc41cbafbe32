# SPDX-License-Identifier: GPL-2.0
"""How long one has to look until it can be seen what is wrong."""

import causes
import host
import of_firewall
import of_wire
import passed
from seen import BAD_ADDRESSES, LASTING

# Seconds: a healthy peer answers data by a keepalive after ten; initiations come every five.
ANSWER_WITHIN, INITIATION_WITHIN = 12, 6
# Within these, data is sent in a new session, if there is any.
SOON_SENT = 3
# In these, a counter of the host may be seen to grow again.
LASTING_WITHIN = 3


def is_undecided(seen, seconds):
    """Whether it takes more time to see what is wrong."""
    for peer in seen.peers:
        if owes(seen, peer, seconds):
            return True
        if seconds < INITIATION_WITHIN and (may_begin_again(seen, peer) or may_return(seen, peer)):
            return True
        if seconds < ANSWER_WITHIN and of_wire.may_be_in_vain(seen, peer):
            return True
    if seconds < LASTING_WITHIN and (may_last(seen) or of_wire.passed_on(seen, seen.messages)):
        return True
    return seconds < INITIATION_WITHIN and (may_come(seen) or any(
        causes.recent(seen.interface, reason, within=1000 * INITIATION_WITHIN)
        and not seen.is_refused_again(reason) for reason in ("rx-bad-mac1", "rx-initiation-unknown-peer")))


def may_come(seen):
    """Whether a peer of an interface that nobody has reached yet may try it, and nothing else
    is known that would be over soon."""
    is_told = any(entry["age"] <= causes.SOON for facts in (seen.interface, *seen.peers)
                  for entry in facts.get("refusal", []))
    return bool(seen.interface.get("up") and seen.peers and seen.is_wire_open and not seen.unheard()
                and not of_firewall.is_heard(seen) and not is_told)


def may_return(seen, peer):
    """Whether a peer that moves may yet be seen to go back."""
    return peer.get("recent-moves", 0) >= causes.MANY_MOVES and not seen.has_returned(peer)


def may_begin_again(seen, peer):
    """Whether the next initiation to a peer will tell more."""
    if peer["state"] == "given-up" or "endpoint" not in peer or not causes.wants_session(peer):
        return False
    is_dropped = any(map(seen.grown, seen.blocking(peer)))
    tc_grown = seen.earlier and seen.tc_drops != seen.earlier.tc_drops
    is_here = (is_dropped or tc_grown) and passed.may_be_here(seen, peer)
    return not (is_here or of_wire.errors(seen, peer))


def may_last(seen):
    """Whether a counter has grown that will grow again if it is about the tunnel."""
    names = ("no-route", *BAD_ADDRESSES, *["reverse-path"] * host.is_strict(seen.name))
    grown = [name for name in names if seen.more_counted(name) > 0]
    return bool(grown) and seen.receives_data() and not any(seen.lasting.get(name, 0) >= LASTING for name in grown)


def owes(seen, peer, seconds):
    """Whether a peer that is sent data still has time to answer."""
    key = seen.key(peer)
    _, begin = seen.since.get(key, (None, 0))
    # Nothing may have been sent in a new session yet.
    return key in seen.since and seconds - begin < SOON_SENT \
        or seconds - begin < ANSWER_WITHIN and seen.still_awaiting(peer)
