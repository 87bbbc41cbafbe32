#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs the host tests of the protocol core on s390x, a big-endian machine, by QEMU's emulation of
# its programs. Says SKIP and why where that cannot be had.
# usage: test-s390x.sh [ARGUMENTS OF cargo test]

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../setup/archive.sh"

LANE=arm64 "$WG_TOP/tools/lanes/layer.sh" cross
target=s390x-unknown-linux-gnu
log=$WG_OUT/log/s390x.log
mkdir -p "$WG_OUT/log"
std=$WG_CACHE/layer-std-s390x-$(basename "$(root_folder)")

# fetch FOLDER: the standard library for that machine, of the compiler in the root.
fetch() {
	local version
	cd "$1"
	version=$(dpkg-query -W -f '${Version}' rustc)
	apt-get -q download "libstd-rust-dev=$version"
	dpkg -x libstd-rust-dev_*.deb .
	rm libstd-rust-dev_*.deb
}
if [[ ${1:-} == --fetch ]]; then
	fetch "$2"
	exit
fi

if [[ ! -d $std ]]; then
	remove_tree "$std.new"
	mkdir -p "$std.new"
	{
		archive s390x trixie-backports apt-get -q update
		archive s390x trixie-backports -b "$std.new" "$0" --fetch "$std.new"
	} >"$log" 2>&1 || true
	[[ -d $std.new/usr/lib/rustlib/$target ]] ||
		unavailable "the archive has no Rust library for s390x that fits the compiler in the root"
	mv "$std.new" "$std"
fi

# With its packages the lane's layer has the linker and QEMU.
export LANE=arm64
export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc
export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu"
# shellcheck disable=SC2016 # the shell in the root expands it
in_root -b "$std/usr/lib/rustlib/$target:/usr/lib/rustlib/$target" \
	sh -c 'cd tools/host && exec cargo test --locked --no-fail-fast --target s390x-unknown-linux-gnu "$@"' - "$@"
