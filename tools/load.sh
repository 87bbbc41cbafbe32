#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Loads wireguard.ko: first the modules it depends on, then itself. For the guest and for one's own
# machine.
# usage: load.sh [FILE] [PARAMETER=VALUE…]   (as in udp_gso=N)
# WG_MODULE=c loads the C module that the kernel's package brings instead.

set -euo pipefail

file=${WG_KO:-$(dirname "$0")/../wireguard.ko}
if [[ ${1:-} && $1 != *=* ]]; then
	file=$1
	shift
fi

die() {
	echo "error: $*" >&2
	exit 1
}

# Both drivers own the same names, so only one can be there.
if [[ -d /sys/module/wireguard ]]; then
	which="a wireguard module from outside the kernel"
	[[ $(cat /sys/module/wireguard/taint) == *O* ]] || which="the kernel's own C module 'wireguard'"
	links=$(ip -o link show type wireguard 2>/dev/null | awk -F': ' '{ print $2 }' | paste -sd ' ')
	die "$which is loaded already${links:+, with the interface(s) $links}; remove ${links:+them and then }it first: rmmod wireguard"
fi

case ${WG_MODULE:-ours} in
ours) ;;
c) exec modprobe wireguard ;;
*) die "WG_MODULE is ours or c, not '$WG_MODULE'" ;;
esac
[[ -e $file ]] || die "$file does not exist; 'make' builds it"

depends=$(modinfo -F depends "$file")
for module in ${depends//,/ }; do
	modprobe "$module" || die "the module '$module', which wireguard needs, does not load"
done
insmod "$file" "$@" || die "the kernel refused $file; its last words: $(dmesg | tail -n 2)"
