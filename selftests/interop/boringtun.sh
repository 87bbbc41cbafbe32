#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# needs: boringtun
# Sessions with boringtun, from crates.io.

. "$(dirname "$0")/../lib/foreign.sh"

# start NS NAME: without its connected sockets, which keep the address that they once had.
start() {
	ip netns exec "$1" "$program" --foreground --disable-drop-privileges --disable-connected-udp "$2" >"$work/boringtun.log" 2>&1 &
	eventually 20 test -S "/var/run/wireguard/$2.sock" || fail "boringtun does not start: $(cat "$work/boringtun.log")"
}

program=${WG_BORINGTUN:?it could not be built}/boringtun-cli
# Read before time passes: see never_idle.
cat "$program" >/dev/null
kind[theirs]=start
foreign
