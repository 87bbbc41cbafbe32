# SPDX-License-Identifier: GPL-2.0
"""Says why a WireGuard tunnel does not work.

For each interface and peer with trouble: one sentence with the reason, and what to try. Without
trouble it says that, and ends with 0; with trouble with 1; with 2 if it could not look. What need
not be a trouble is a note.
"""

import argparse
import contextlib
import errno
import json
import os
import socket
import sys
import time

import causes
import firewall
import host
import netlink
import programs
import prometheus
import signed
import watch
import wire
from seen import Seen
from undecided import ANSWER_WITHIN, INITIATION_WITHIN, SOON_SENT, is_undecided

# Seconds between two looks.
SAMPLE = 1

# Seconds after which a session is not used any more.
SESSION = 180


def text(trouble):
    peer = trouble.get("name") or trouble.get("peer")
    where = [trouble["interface"]] if "interface" in trouble else []
    where += [f"peer {peer}"] if peer else []
    where = ", ".join(where) + ": " if where else ""
    what = f"note: {trouble['what']}" if "note" in trouble else trouble["what"]
    return f"{where}{what}.\n  Try: {trouble['try']}."


def unanswered_now(name, keys):
    """Those of some peers that something is sent to in the next seconds, and nothing comes back."""
    first, left, found = host.transfer(name), set(keys), set()
    for _ in range(INITIATION_WITHIN if keys else 0):
        time.sleep(SAMPLE)
        now = host.transfer(name)
        grown = {key: [after - before for before, after in zip(first[key], now[key])]
                 for key in left if key in first and key in now}
        found = {key for key, (came, went) in grown.items() if went > 0 and not came}
        left = {key for key in left & grown.keys() if not grown[key][0]}
        if left == found:
            break
    return found


def stock_trouble(name):
    """What "wg" and "ip" can show of an interface."""
    flags = host.link(name).get("flags")
    if flags is not None and "UP" not in flags:
        yield {"cause": "interface-down", "what": "the interface is down",
               "try": f"ip link set {name} up"}
    if not programs.run("wg", "show", name, "listen-port"):
        raise OSError(f"'wg show {name}' shows nothing: is wg here, is this root, is that an "
                      "interface of WireGuard?")
    endpoints, sent = host.of_wg(name, "endpoints"), host.of_wg(name, "transfer")
    handshakes = host.of_wg(name, "latest-handshakes")
    dead = unanswered_now(name, [key for key, seconds in handshakes.items()
                                 if 0 < int(seconds) < time.time() - SESSION])
    for key, seconds in handshakes.items():
        if endpoints.get(key) == "(none)":
            yield {"peer": key, "cause": "no-endpoint", "what": "it is not known where the peer is",
                   "try": f"wg set {name} peer {key} endpoint ADDRESS:PORT", "note": True}
        elif seconds == "0" and sent.get(key) != "0":
            yield {"peer": key, "cause": "no-handshake",
                   "what": f"there was no handshake yet with {endpoints.get(key)}",
                   "try": "send something to it, and look again"}
        elif key in dead:
            yield {"peer": key, "cause": "silent",
                   "what": f"the last handshake was {causes.duration(1000 * (time.time() - int(seconds)))} ago, "
                           f"and something is sent to {endpoints.get(key)}, and nothing comes back",
                   "try": "see whether that address is right, the port open on the way and there, and the "
                          f"key of {name} known there"}
        elif int(seconds) > time.time() + host.CLOCK_SLACK:
            yield {"peer": key, "cause": "our-clock",
                   "what": "the last handshake is in the future: our clock went back, and the peer "
                           "refuses handshakes until it has caught up", "try": "set the clock here"}


def no_module():
    """Why there may be none."""
    file, signer = signed.module_file()
    found = {"cause": "no-module", "what": "the module wireguard is not loaded", "try": "modprobe wireguard"}
    if file:
        found["what"] += f"; {file} is there, {f'signed by {signer}' if signer else 'not signed'}"
    if file.startswith("/") and signed.is_secure() and not signed.is_enrolled(signer or "nobody"):
        found["what"] += ", and the kernel takes signed modules only: its key is not enrolled"
        found["try"] = "mokutil --import /var/lib/dkms/mok.pub, and confirm at the next boot"
    return found


def without_family(names):
    """With the C module, or an old one: what can be seen all the same."""
    ours = host.module_is_ours()
    # Of an interface that is named, it is not known whether it is one.
    if not host.has_module() and not interfaces():
        return [no_module()]
    which = {True: "an older one of this kind", False: "the kernel's own C module",
             None: "one without wireguard-diag"}[ours]
    said = f"the loaded module is {which}, which" if host.has_module() else \
        "these interfaces are served by a program in user space, like wireguard-go, which"
    found = [{"cause": {True: "old-module", False: "c-module", None: "other-module"}[ours],
              "what": f"{said} does not tell why: refusals, attempts and "
                      "states cannot be seen, only what 'wg show' knows",
              "try": "make which, make install", "note": True}]
    for name in names:
        found += [{"interface": name, **trouble} for trouble in stock_trouble(name)]
    return found


def interfaces(client=None):
    """The interfaces of WireGuard in this network namespace."""
    if client is None:
        if host.has_module() and not programs.has_program("wg"):
            raise OSError("with this module it takes the program wg, which is not here")
        return programs.run("wg", "show", "interfaces").split()
    names, refused = [], None
    for _, name in socket.if_nameindex():
        try:
            client.get(ifname=name)
            names.append(name)
        except netlink.Refused as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENODEV):
                refused = error
    # Without privilege, those that everybody may read.
    if refused and not names:
        raise refused
    return names


def options(words):
    parser = argparse.ArgumentParser(prog="wgwhy", description=__doc__.split("\n\n", maxsplit=1)[0],
                                     epilog="exit status: 0 no trouble, 1 trouble, 2 could not look")
    parser.add_argument("interface", nargs="*", help="default: all in this network namespace")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="a list of troubles for programs")
    kind.add_argument("--prometheus", action="store_true", help="figures for a text collector")
    kind.add_argument("--watch", action="store_true", help="events as they come")
    return parser.parse_args(words)


def first_look(client, names, rules, is_named):
    """What is known of each interface; one that goes meanwhile is nobody's trouble, unless it was
    asked for."""
    found = {}
    for name in names:
        with contextlib.nullcontext() if is_named else contextlib.suppress(netlink.Gone):
            found[name] = Seen(client, name, rules)
    return found


def look(client, names, is_named=True):
    """Looks twice, to tell what goes on from what is over, or longer where that is not enough."""
    wires = wire.Wire()
    rules = firewall.listing()
    last = earlier = first_look(client, names, rules, is_named)
    wires.read()
    begin, start, seconds = len(wires.messages), time.monotonic(), 0
    # A handshake may come while an answer to data is awaited.
    while seconds < 2 * ANSWER_WITHIN + SOON_SENT - SAMPLE:
        wires.wait(SAMPLE)
        # Programs of the host may take longer.
        seconds = max(seconds + SAMPLE, int(time.monotonic() - start))
        rules, later = firewall.listing(), {}
        for name in last:
            # One that is removed meanwhile is nobody's trouble.
            with contextlib.suppress(netlink.Gone):
                later[name] = Seen(client, name, rules, earlier[name])
                later[name].follow(last[name], seconds)
        wires.read()
        for seen in later.values():
            seen.messages = wires.messages
            seen.is_wire_open, seen.is_wire_whole = wires.is_open, wires.is_whole
            seen.settled = wires.messages[begin:wires.settled]
        if not any(is_undecided(seen, seconds) for seen in later.values()):
            break
        last = later
    wires.close()
    return list(later.values())


def could_not_look():
    """What this host does not let one see, as one note."""
    found = {}
    for what, why in host.unseen():
        found.setdefault(what, why)
    if found:
        yield {"cause": "could-not-look", "note": True,
               "what": "not all was looked at: " + "; ".join(f"{why}, so {what} were not seen"
                                                            for what, why in found.items()),
               "try": "install what is missing (iproute2, nftables), and run it as root"}


def no_interface():
    """What to say where there is nothing to look at."""
    others, files = host.interfaces_elsewhere(), host.configured()
    found = {"cause": "no-interface", "what": "there is no interface of WireGuard in this namespace",
             "try": "ip link add wg0 type wireguard, or wg-quick up wg0"}
    if others:
        space, name = others[0]
        found["what"] += f"; others have {causes.plural(len(others), 'interface')}, like {name} in {space}"
        found["try"] = f"ip netns exec {space} wgwhy"
    if files:
        found["what"] += f"; /etc/wireguard has {', '.join(f'{name}.conf' for name in files)}"
        found["try"] = f"wg-quick up {files[0]}"
    return found if others or files else {**found, "note": True}


def show(troubles, names, as_json):
    """Prints what was found, and returns the exit status."""
    is_bad = any("note" not in trouble for trouble in troubles)
    if as_json:
        print(json.dumps(troubles, indent=1, ensure_ascii=False))
        return int(is_bad)
    for trouble in troubles:
        print(text(trouble))
    # Of a module that does not tell, that is not known.
    if not is_bad and all("interface" in trouble or trouble["cause"] == "could-not-look"
                          for trouble in troubles):
        print(f"No trouble with {', '.join(names)}." if names else "There is no interface to look at.")
    return int(is_bad)


def main(words):
    wanted = options(words)
    programs.widen_path()
    try:
        client = netlink.Client()
    except netlink.Missing:
        names = list(dict.fromkeys(wanted.interface)) or interfaces()
        troubles = without_family(names)
        if not names and host.has_module():
            troubles.append(no_interface())
        if wanted.prometheus or wanted.watch:
            print("\n".join(map(text, troubles)), file=sys.stderr)
            return 2
        return show(troubles, names, wanted.json)
    names = list(dict.fromkeys(client.get(ifname=name).get("ifname", name) for name in wanted.interface))
    if wanted.watch:
        return watch.follow(client, set(names))
    is_named = bool(names)
    names = names or interfaces(client)
    if not names and not wanted.prometheus:
        return show([no_interface()], [], wanted.json)
    if wanted.prometheus:
        print(prometheus.text(first_look(client, names, (), is_named).values()), end="")
        return 0
    found = look(client, names, is_named)
    troubles = [trouble for seen in found for trouble in seen.troubles()]
    return show([*troubles, *could_not_look()], [seen.name for seen in found], wanted.json)


if __name__ == "__main__":
    try:
        # Not all locales have all characters of the sentences.
        sys.stdout.reconfigure(errors="replace")
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except (KeyboardInterrupt, Exception) as error:  # pylint: disable=broad-exception-caught
        if isinstance(error, (OSError, ValueError)) and not isinstance(error, BrokenPipeError):
            print(f"wgwhy: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        elif not isinstance(error, (KeyboardInterrupt, BrokenPipeError)):
            print(f"wgwhy: an error in this program: {error!r}", file=sys.stderr)
        # What could not be written would fail again at the end, with another status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 2
    sys.exit(status)
