#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: which implementation comes when the module is asked for in each of the ways
# there are.
# usage: installed.sh Rust|C       it loads, and a tunnel works
#        installed.sh refused      the kernel takes signed modules only: ours is refused, the C module is not

. "$WG_TOP/selftests/lib.sh"

# With WG_UEFI, Secure Boot must really be on.

want=$1
which=$WG_TOP/tools/which.sh
module=/sys/module/wireguard
version=
[[ $want != Rust ]] || version=$(cat "$WG_TOP/rust/VERSION")
intree=$(compgen -G "/lib/modules/$(uname -r)/kernel/drivers/net/wireguard/wireguard.ko*" || true)

# is_loaded HOW
is_loaded() {
	[[ -d $module ]] || fail "$1 did not load the module"
	[[ $("$which" --loaded) == "$want"* ]] || fail "$1 loaded: $("$which" --loaded)"
	# The same by the plain commands that docs/install.md names.
	if [[ $want == Rust ]]; then
		grep -q O "$module/taint" || fail "the taint flags are '$(cat "$module/taint")'"
	else
		[[ ! $(cat "$module/taint") ]] || fail "the taint flags are '$(cat "$module/taint")'"
	fi
	[[ $(cat "$module/version") == 1.0.0 ]] || fail "the version is $(cat "$module/version")"
	# Of ours, the version too.
	[[ $("$which" | grep '^loaded:') =~ ^"loaded:         $("$which" --loaded)${version:+, version $version}"$ ]] ||
		fail "which.sh says: $("$which")"
	echo "$1: $("$which" --loaded), taint '$(cat "$module/taint")'"
}

unloaded() {
	eventually 10 modprobe -r wireguard
	[[ ! -d $module ]] || fail "the module cannot be removed"
}

if [[ ${WG_UEFI:-} ]]; then
	dmesg | grep -i 'secure boot enabled' || fail "Secure Boot is off: $(dmesg | grep -i 'secure boot')"
fi

if [[ $want == refused ]]; then
	file=$(modinfo -n wireguard)
	[[ $file == */updates/* ]] || fail "modprobe takes $file"
	refuses modprobe wireguard
	[[ $message == *"Key was rejected by service"* ]] || fail "modprobe says: $message"
	dmesg | grep -i 'loading of .* is rejected' || fail "the kernel's log has no reason"
	refuses ip link add wg0 type wireguard
	[[ ! -d $module ]] || fail "the module is loaded"
	for depends in $(modinfo -F depends "$intree" | tr , ' '); do modprobe "$depends"; done
	insmod "$intree" || fail "the C module, which Debian signed, is refused as well"
	want=C
	is_loaded "the way back"
	exit
fi

[[ ! -d $module ]] || fail "the module is loaded at the start"
[[ $("$which" --loaded) == none ]] || fail "which.sh says $("$which" --loaded)"
file=$(modinfo -n wireguard)
if [[ $want == Rust ]]; then
	[[ $file == */updates/* ]] || fail "modprobe takes $file"
else
	[[ $file == "$intree" ]] || fail "modprobe takes $file"
fi
"$which"
"$which" | grep "^modprobe takes: $want, $file\$" >/dev/null || fail "which.sh does not say so"

modprobe wireguard
is_loaded modprobe
unloaded

ip link add wg0 type wireguard
is_loaded "ip link add"
ip link del wg0
unloaded

# Netlink asks for the family before anything can tell that there is no such interface.
refuses wg set wg9 listen-port 1
is_loaded "wg set"
unloaded

printf '[Interface]\nPrivateKey = %s\nAddress = 192.168.9.1/24\n' "$(wg genkey)" >/run/wg0.conf
chmod 600 /run/wg0.conf
wg-quick up /run/wg0.conf 2>&1
is_loaded "wg-quick up"
wg-quick down /run/wg0.conf 2>&1
[[ $("$which" --switch) == *"$("$which" --loaded)"* ]] || fail "which.sh --switch does not name what is loaded"
[[ $want != C || $("$which" --switch) != *"modprobe -r"* ]] || fail "which.sh advises to load C in the place of C"

joined left right
tunnel left right
answers left 192.168.7.2 -W 10 || fail "no answer through the tunnel"
echo "a tunnel works"
