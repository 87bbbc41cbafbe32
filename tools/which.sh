#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Says which implementation of the module is loaded, and which one modprobe would load.
# usage: which.sh [--loaded | --switch]
# Behind the loaded one stands its version; the last line has the version of this checkout.
# --loaded: the first alone, as one phrase; --switch: how to come from the one to the other, if one
# is loaded
#
# Without this script: /sys/module/wireguard/taint has an O (a module from outside the kernel's own
# tree) for this one and is empty for the C module; 'modinfo -n wireguard' prints a path in updates/
# for this one. All other strings are the same on purpose.

set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
version_file=/sys/kernel/debug/wireguard/rust-module-version

loaded() {
	local module=/sys/module/wireguard
	if [[ ! -d $module ]]; then
		echo none
	elif [[ ! -e $module/taint && -e $version_file ]]; then
		echo "Rust (this project, built into the kernel)"
	elif [[ ! -e $module/taint ]]; then
		echo "C (built into the kernel)"
	# Names of Rust functions begin with _R.
	elif grep -qm1 -E ' _R[A-Za-z0-9_.$]+[[:space:]]+\[wireguard\]$' /proc/kallsyms; then
		echo "Rust (this project)"
	elif [[ $(cat "$module/taint") != *O* ]]; then
		echo "C (the kernel's own module)"
	else
		echo "another module from outside the kernel"
	fi
}

# version: ", version X" where the module of this project is loaded and root asks.
version() {
	local text
	read -r text 2>/dev/null <"$version_file" || return 0
	echo ", version $text"
}

if [[ ${1:-} == --loaded ]]; then
	loaded
	exit
fi
if [[ ${1:-} == --switch ]]; then
	[[ -d /sys/module/wireguard ]] || exit 0
	links=$(ip -o link show type wireguard 2>/dev/null | awk -F': ' '{ print $2 }' | paste -sd ' ')
	echo "Loaded is, and stays until it is removed: $(loaded)."
	echo "To load what is installed${links:+ (this removes the interfaces of this namespace: $links; others too)}:"
	echo "    modprobe -r wireguard && modprobe wireguard"
	exit
fi
file=$(modinfo -n wireguard 2>/dev/null) || file=
case $file in
'') next=none ;;
*builtin*) next=$(loaded) ;;
# Where tools/intree.sh puts it.
*/drivers/net/wireguard-rust/*) next=Rust ;;
*) next=$([[ $(modinfo -F intree "$file") == Y ]] && echo C || echo Rust) ;;
esac
echo "loaded:         $(loaded)$(version)"
echo "modprobe takes: $next${file:+, $file}"
echo "this checkout:  version $(cat "$(dirname "$0")/../rust/VERSION")"
