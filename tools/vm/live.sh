#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: what an upgrade and the removal of the package do, while a tunnel is up. The
# module was built before, as this machine is emulated; the rest is what dpkg does.

. "$WG_TOP/selftests/lib.sh"

which=$WG_TOP/tools/which.sh
module=wireguard-rust/$(dpkg-query -W -f '${Version}' wireguard-rust-dkms)

# goes_on WHEN: the same session, the same module.
goes_on() {
	answers left 192.168.7.2 -W 10 || fail "$1: no answer through the tunnel"
	[[ $(in_ns left wg show all latest-handshakes) == "$session" ]] || fail "$1: there was a new handshake"
	[[ $("$which" --loaded) == Rust* ]] || fail "$1: loaded is $("$which" --loaded)"
	echo "$1: the tunnel goes on"
}

modprobe wireguard
joined left right
tunnel left right
answers left 192.168.7.2 -W 10 || fail "no answer through the tunnel"
session=$(in_ns left wg show all latest-handshakes)
[[ $session =~ [1-9] ]] || fail "there was no handshake: $session"

dkms uninstall "$module" -k "$(uname -r)"
[[ $(modinfo -n wireguard) == */kernel/* ]] || fail "modprobe takes $(modinfo -n wireguard)"
goes_on "the old version is out"
dkms install "$module" -k "$(uname -r)"
[[ $(modinfo -n wireguard) == */updates/dkms/* ]] || fail "modprobe takes $(modinfo -n wireguard)"
goes_on "the new version is in"
dpkg --remove wireguard-rust-dkms
[[ $(modinfo -n wireguard) == */kernel/* ]] || fail "modprobe takes $(modinfo -n wireguard)"
goes_on "the package is removed"
sync
