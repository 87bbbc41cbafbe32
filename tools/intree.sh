#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Puts the driver into a kernel source, beside the C one and as its alternative:
# CONFIG_WIREGUARD_RUST=y or m, with CONFIG_WIREGUARD off. Another run brings it up to date.
# usage: intree.sh TREE

set -euo pipefail

. "$(dirname "$0")/lib.sh"
. "$WG_TOP/tools/dkms/sources.sh"

(($# == 1)) || die "usage: $0 TREE (the folder of a kernel source)"
tree=$1
net=$tree/drivers/net
folder=$net/wireguard-rust
[[ -e $tree/Kbuild && -e $net/Kconfig ]] || die "$tree is no kernel source"
[[ -e $tree/rust/kernel/lib.rs ]] || die "the kernel in $tree has no support for Rust"
[[ -e $net/wireguard/main.c ]] || die "the kernel source in $tree has no drivers/net/wireguard, next to which this driver goes"
[[ -w $net ]] || die "$net cannot be written"

# replace FILE SCRIPT: by a new file, as the old one may have other links.
replace() {
	sed -E "$2" "$1" >"$1.new"
	! cmp -s "$1" "$1.new" || die "$1 has no entry of the C driver, after which this driver's entry goes"
	mv "$1.new" "$1"
}

rm -rf "$folder"
mkdir -p "$folder"
folder=$(readlink -f "$folder")
(cd "$WG_TOP" && sources | grep -E '^(Kbuild$|rust/)' | xargs cp --parents --target-directory "$folder")

# shellcheck disable=SC2016 # for make
grep -q '^obj-$(CONFIG_WIREGUARD_RUST)' "$net/Makefile" ||
	replace "$net/Makefile" 's,^obj-\$\(CONFIG_WIREGUARD\) .*,&\nobj-$(CONFIG_WIREGUARD_RUST) += wireguard-rust/,'
grep -q wireguard-rust "$net/Kconfig" ||
	replace "$net/Kconfig" 's,^config WIREGUARD$,source "drivers/net/wireguard-rust/rust/Kconfig"\n\n&,'

echo "The driver is in $folder. In the kernel's configuration:"
echo "    scripts/config -e RUST -d WIREGUARD -m WIREGUARD_RUST    # or -e, to have it built in"
