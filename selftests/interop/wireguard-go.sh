#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# Sessions with wireguard-go, as Debian packages it.

. "$(dirname "$0")/../lib/foreign.sh"

# start NS NAME
start() {
	ip netns exec "$1" wireguard-go -f "$2" >"$work/wireguard-go.log" 2>&1 &
	program=$!
	eventually 20 test -S "/var/run/wireguard/$2.sock" || fail "wireguard-go does not start: $(cat "$work/wireguard-go.log")"
}

stop() {
	kill "$program"
	wait "$program" || true
}

# Its buffers for addresses are shared by the families: after one for IPv4 the next IPv6 address is
# cut off.
# shellcheck disable=SC2034 # for foreign
cannot_change_family=yes

# Read before time passes: see never_idle.
cat /usr/bin/wireguard-go >/dev/null
kind[theirs]=start
foreign
