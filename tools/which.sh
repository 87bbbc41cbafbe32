#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Says which implementation of the module is loaded, and which one modprobe would load.
# usage: which.sh [--loaded | --switch]
# Behind the loaded one stands its version; the last line has the version of this checkout.
# --loaded: the first alone, as one phrase; --switch: how to come from the one to the other, if one
# is loaded, and whether Secure Boot forbids it
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

# next_module: what modprobe would load.
next_module() {
	local file
	file=$(modinfo -n wireguard 2>/dev/null) || file=
	case $file in
	'') echo none ;;
	*builtin*) loaded ;;
	# Where tools/intree.sh puts it.
	*/drivers/net/wireguard-rust/*) echo Rust ;;
	*) [[ $(modinfo -F intree "$file") == Y ]] && echo C || echo Rust ;;
	esac
}

# wants_signatures: Secure Boot is on, or a parameter of the kernel.
wants_signatures() {
	local state
	state=$(cat /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null | od -An -tu1 -j4 -N1 2>/dev/null) || state=
	((${state:-0} == 1)) || [[ $(cat /sys/module/module/parameters/sig_enforce 2>/dev/null) == Y ]]
}

# is_enrolled: the kernel knows the key that the module is signed with.
is_enrolled() {
	local signer
	signer=$(modinfo -F signer wireguard 2>/dev/null) || signer=
	[[ $signer ]] && grep -F 'asymmetri' /proc/keys 2>/dev/null | grep -qF " $signer:"
}

if [[ ${1:-} == --loaded ]]; then
	loaded
	exit
fi
if [[ ${1:-} == --switch ]]; then
	next=$(next_module)
	if [[ $next == Rust ]] && wants_signatures && ! is_enrolled; then
		echo "Secure Boot is on, and the module's key is not enrolled: modprobe will fail, and not take the C module."
		echo "Enrol the key first, and confirm at the next boot: mokutil --import /var/lib/dkms/mok.pub (docs/install.md)"
	fi
	[[ -d /sys/module/wireguard ]] || exit 0
	links=$(ip -o link show type wireguard 2>/dev/null | awk -F': ' '{ print $2 }' | paste -sd ' ')
	echo "Loaded is, and stays until it is removed: $(loaded)."
	if [[ $next == C && $(loaded) == C* ]]; then
		others=$(compgen -G '/lib/modules/*/updates/wireguard.ko*' && true; compgen -G '/lib/modules/*/updates/dkms/wireguard.ko*' && true)
		others=$(cut -d / -f 4 <<<"$others" | sort -u | paste -sd ' ')
		[[ ! $others ]] || echo "The running kernel, $(uname -r), has no other. Boot one that has it first: $others."
		exit
	fi
	echo "To load what is installed${links:+ (this removes the interfaces of this namespace: $links; others too)}:"
	echo "    modprobe -r wireguard && modprobe wireguard"
	exit
fi
file=$(modinfo -n wireguard 2>/dev/null) || file=
echo "loaded:         $(loaded)$(version)"
echo "modprobe takes: $(next_module)${file:+, $file}"
echo "this checkout:  version $(cat "$(dirname "$0")/../rust/VERSION")"
