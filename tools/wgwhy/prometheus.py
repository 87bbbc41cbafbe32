# SPDX-License-Identifier: GPL-2.0
"""Figures for the text collector of Prometheus. The first five have the popular exporters'
names."""

import causes
import host

FIGURES = [
    ("wireguard_sent_bytes_total", "counter", "tx-bytes", 1),
    ("wireguard_received_bytes_total", "counter", "rx-bytes", 1),
    ("wireguard_sent_packets_total", "counter", "tx-packets", 1),
    ("wireguard_received_packets_total", "counter", "rx-packets", 1),
    ("wireguard_handshakes_begun_total", "counter", "handshakes-begun", 1),
    ("wireguard_handshakes_answered_total", "counter", "handshakes-answered", 1),
    ("wireguard_handshakes_completed_total", "counter", "handshakes-completed", 1),
    ("wireguard_handshakes_given_up_total", "counter", "handshakes-given-up", 1),
    ("wireguard_handshake_round_trip_seconds", "gauge", "round-trip", 1e6),
    ("wireguard_session_age_seconds", "gauge", "session-age", 1e3),
    ("wireguard_staged_packets", "gauge", "staged", 1),
]


def escaped(value):
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(**values):
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in values.items()) + "}"


def handshake_second(seen, peer, stock):
    """When the last handshake was: the kernel's own second if "wg" shows it, or by its age."""
    return int(stock.get(seen.key(peer), "0")) or int(seen.time - peer["last-handshake"] / 1000)


def of_peer(seen, peer, stock):
    named = {"interface": seen.name, "public_key": seen.key(peer),
             "friendly_name": peer.get("name", "")}
    for name, kind, attribute, unit in FIGURES:
        if attribute in peer:
            yield name, kind, labels(**named), peer[attribute] / unit if unit != 1 else peer[attribute]
    if "last-handshake" in peer:
        yield ("wireguard_latest_handshake_seconds", "gauge", labels(**named),
               handshake_second(seen, peer, stock))
    if "endpoint" in peer:
        yield ("wireguard_peer_info", "gauge",
               labels(**named, endpoint=causes.endpoint(peer["endpoint"])), 1)
    yield "wireguard_peer_state", "gauge", labels(**named, state=peer["state"]), 1
    for entry in peer.get("refusal", []):
        yield ("wireguard_refused_packets_total", "counter",
               labels(**named, reason=entry["reason"]), entry["count"])


def text(all_seen):
    """The lines of all interfaces, those of one figure together."""
    figures = {}
    for seen in all_seen:
        for entry in seen.interface.get("refusal", []):
            figures.setdefault(("wireguard_interface_refused_packets_total", "counter"), []).append(
                (labels(interface=seen.name, reason=entry["reason"]), entry["count"]))
        stock = host.of_wg(seen.name, "latest-handshakes")
        for peer in seen.peers:
            for name, kind, where, value in of_peer(seen, peer, stock):
                figures.setdefault((name, kind), []).append((where, value))
    lines = []
    for (name, kind), values in figures.items():
        lines.append(f"# TYPE {name} {kind}")
        lines += [f"{name}{where} {value}" for where, value in values]
    return "\n".join(lines) + "\n" if lines else ""
