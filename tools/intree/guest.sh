#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: selftest "tunnel" with the driver that is part of this kernel.
# usage: guest.sh y|m

. "$WG_TOP/selftests/lib.sh"

mark_log intree
which=$WG_TOP/tools/which.sh
module=/sys/module/wireguard
case $1 in
y)
	[[ -d $module && ! -e $module/initstate ]] || fail "the driver is not built in"
	[[ $("$which" --loaded) == "Rust (this project, built into the kernel)" ]] || fail "which.sh says: $("$which")"
	command=true
	;;
m)
	[[ ! -d $module ]] || fail "the module is loaded at the start"
	"$which" | grep -F 'modprobe takes: Rust, ' || fail "which.sh says: $("$which")"
	command="modprobe wireguard"
	! has_ipv6 || fail "this kernel has IPv6"
	;;
esac

# The selftest loads what is there, and no module of the checkout.
printf '#!/bin/sh\n%s\n' "$command" >"$work/load.sh"
chmod +x "$work/load.sh"
mount --bind "$work/load.sh" "$WG_TOP/tools/load.sh"
"$WG_TOP/selftests/interface/tunnel.sh"
[[ $("$which") == *"version $(cat "$WG_TOP/rust/VERSION")"* ]] || fail "which.sh says: $("$which")"
grep -x "$(cat "$WG_TOP/rust/VERSION")" /sys/kernel/debug/wireguard/rust-module-version
if [[ $1 == m ]]; then
	# As with the C module, an endpoint of the family that is not there is taken, and nothing is
	# sent.
	namespace c
	interface c 3
	keys d
	peer c d allowed-ips 192.168.7.2/32 endpoint "[fd00::2]:51822"
	ip -n c link set wg0 up
	! in_ns c ping -q -c 1 -W 1 192.168.7.2 || fail "an answer from nobody"
	[[ $(shown c endpoints d) == "[fd00::2]:51822" ]] || fail "endpoint: $(shown c endpoints d)"
	[[ $(shown c transfer d) == $'0\t0' ]] || fail "transfer: $(shown c transfer d)"
	ip -n c link del wg0
	[[ $(modinfo -F intree wireguard) == Y ]] || fail "modinfo says: $(modinfo wireguard)"
	[[ ! $(cat "$module/taint") ]] || fail "the kernel is tainted: $(cat "$module/taint")"
	modprobe -r wireguard
fi
check_clean_log
