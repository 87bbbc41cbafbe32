#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: builds the kernel in FOLDER/tree twice, with the driver built in (FOLDER/y), and
# without IPv6 with the driver as a module (FOLDER/m), each as tools/vm/boot.sh takes it.
# usage: build.sh FOLDER CONFIG…

set -euo pipefail

folder=$1
shift
make=(make -j"$WG_JOBS" ARCH=um CC="${CC:-x86_64-linux-gnu-gcc-14}")

# built NAME
built() {
	local to=$folder/$1
	"${make[@]}"
	"${make[@]}" INSTALL_MOD_PATH="$to/stock/usr" modules_install
	ln -s usr/lib "$to/stock/lib"
	"${make[@]}" -s kernelrelease >"$to/release"
	cp vmlinux .config "$to/"
}

mkdir -p "$folder"/{y,m}/stock/usr
grep -hvx CONFIG_WIREGUARD=m "$@" >"$folder/options"
cd "$folder/tree"
make -s ARCH=um mrproper
"${make[@]}" KCONFIG_ALLCONFIG="$folder/options" allnoconfig
grep -x CONFIG_WIREGUARD_RUST=y .config
built y
scripts/config -m WIREGUARD_RUST -d IPV6
"${make[@]}" olddefconfig
grep -x CONFIG_WIREGUARD_RUST=m .config
grep -x '# CONFIG_IPV6 is not set' .config
built m
