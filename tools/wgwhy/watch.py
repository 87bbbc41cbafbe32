# SPDX-License-Identifier: GPL-2.0
"""Events as they come."""

import time

import causes
import host

TEXTS = {
    "session-up": "there is a session",
    "session-expired": "its keys were wiped, as there was no new session for nine minutes",
    "given-up": "no response came in ninety seconds, so nothing more is tried",
    "endpoint-changed": "it has moved",
    "peer-added": "is new here",
    "peer-changed": "its configuration was changed",
    "peer-removed": "was removed here",
}


def line(event):
    """A line for an event."""
    peer = event["peer"]
    title = peer.get("name") or host.key_text(peer["public-key"])
    words = [f"{event['ifname']}, peer {title}: {TEXTS.get(event['event'], event['event'])}"]
    if "old-endpoint" in peer:
        words.append(f"from {causes.endpoint(peer['old-endpoint'])}")
    if "endpoint" in peer and event["event"] in ("session-up", "endpoint-changed", "given-up"):
        words.append(f"at {causes.endpoint(peer['endpoint'])}")
    if "last-refusal" in peer:
        words.append(f"(last refused: {peer['last-refusal']})")
    return " ".join(words)


def follow(client, names):
    """Prints events until it is interrupted."""
    client.listen("peers", "config")
    print("listening", flush=True)
    last = {}
    for command, event in client.events():
        stamp = time.strftime("%H:%M:%S")
        if event is None:
            print(f"{stamp} events were lost here: they came faster than they were read", flush=True)
            continue
        if "peer" not in event or names and event["ifname"] not in names:
            continue
        place = event["ifindex"], command
        gap = event["sequence"] - last.get(place, event["sequence"] - 1) - 1
        last[place] = event["sequence"]
        if gap > 0:
            print(f"{stamp} {event['ifname']}: {gap} events are missing here", flush=True)
        print(stamp, line(event), flush=True)
        if "limit" in event:
            print(f"{stamp} {event['ifname']}: too many events; some are left out now", flush=True)
    return 0
