#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# DKMS runs this in a copy of its sources: builds wireguard.ko for an installed kernel. First, once
# per kernel, it prepares a tree with Rust metadata, out of the packages linux-headers-RELEASE and
# linux-source-SERIES.
# usage: build.sh RELEASE
# When that cannot be done: status 77, which DKMS takes as "skip this kernel", and a last line
# "error: …" that says why.

set -euo pipefail

release=$1
cache=${WG_DKMS_CACHE:-/var/cache/wireguard-rust}
modules=/lib/modules
headers=$modules/$release/build
series=$(cut -d. -f1,2 <<<"$release")
source=/usr/src/linux-source-$series.tar.xz
folder=$cache/$release

# A make above us (DKMS's, a package's) would hand down its flags.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC
WG_JOBS=$(nproc)
export WG_JOBS

fail() {
	echo "error: $*; the kernel's own C module stays in use"
	exit 77
}

trap '(($? % 77 == 0)) || fail "the build stopped where it was not expected to"' EXIT

# version PACKAGE: the installed one; nothing if it is not.
version() {
	# Not yet configured, it is there all the same: apt may be about to.
	{ dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || true; } |
		sed -nE 's/^(installed|half-configured|unpacked|triggers-.*) //p'
}

# Every program and header that preparing takes, with its Debian package.
missing_packages() {
	local name
	while read -r name package; do
		[[ $name != /* ]] || { [[ -e $name ]] || echo "$package"; continue; }
		command -v "$name" >/dev/null || echo "$package"
	done <<-END
		rustc rustc
		/usr/src/rustc-$(rustc --version 2>/dev/null | cut -d' ' -f2)/library/core/src/lib.rs rust-src
		bindgen bindgen
		make make
		$(value CC_VERSION_TEXT | cut -d' ' -f1) gcc-$(value CC_VERSION_TEXT | sed -n 's/.*-gcc-\([0-9]*\) .*/\1/p')
		bc bc
		bison bison
		flex flex
		pahole dwarves
		xz xz-utils
		/usr/include/gelf.h libelf-dev
		/usr/include/openssl/opensslv.h libssl-dev
	END
}

# value NAME: of a string in the kernel's configuration.
value() {
	sed -n "s/^CONFIG_$1=\"\(.*\)\"/\1/p" "$headers/.config"
}

# settings FILE: without what is set anew, and without the revisions of the C compiler and its like,
# which do not matter.
settings() {
	grep -Ev '^(#|$)|^CONFIG_(LOCALVERSION|MODULE_SIG_KEY|CC_VERSION_TEXT|(GCC|AS|LD|PAHOLE)_VERSION)=' "$1"
}

prepare() {
	local missing wanted free here changed status=0
	missing=$(missing_packages | paste -sd ' ')
	[[ ! $missing ]] || fail "programs are missing here: apt install $missing"
	here=$(rustc --version)
	[[ $here == "$(value RUSTC_VERSION_TEXT)" ]] ||
		fail "the kernel $release was built by '$(value RUSTC_VERSION_TEXT)'; it refuses modules built by '$here'"
	[[ -e $source ]] || fail "the source of the kernel $release is missing here ($source): apt install linux-source-$series"
	wanted=$(version "linux-headers-$release")
	[[ ! $wanted || $wanted == "$(version "linux-source-$series")" ]] ||
		fail "linux-headers-$release is of version $wanted and needs its source: apt install linux-source-$series=$wanted"
	remove_stale
	rm -rf --one-file-system "$folder"
	mkdir -p "$folder/stock/usr/src"
	free=$(df --output=avail -k "$folder" | tail -n 1)
	((free >= 3 * 1048576)) || fail "$cache needs 3 GB of free space for a while (here: $((free / 1024)) MB)"

	# What 'make' has from the same packages.
	echo "$release" >"$folder/release"
	ln -s "$(readlink -f "$headers")" "$folder/stock/usr/src/linux-headers-$release"
	ln -s "$source" "$folder/source.tar.xz"
	# No machine is started here, so this is not unpacked: any program will do.
	ln -s /bin/true "$folder/vmlinuz"
	"$PWD/tools/setup/prepare-kernel.sh" "$folder" || status=$?
	((status == 0)) || fail "the source of the kernel $release cannot be prepared; the lines above say why"
	changed=$({ diff <(settings "$headers/.config") <(settings "$folder/tree/.config") || true; } |
		sed -n 's/^[<>] //p' | head -n 3 | paste -sd ' ')
	[[ ! $changed ]] || fail "the tools here would change the configuration of the kernel $release: $changed"

	# No module needs these, and they are most of the tree.
	cd "$folder/tree"
	rm -rf Documentation block certs crypto drivers fs ipc kernel lib mm net samples security sound virt
	find arch tools -mindepth 1 -maxdepth 1 -type d ! -name x86 ! -name objtool -exec rm -rf {} +
	cd "$OLDPWD"
	key >"$folder/key"
}

# What a prepared tree was made from.
key() {
	{
		cat "$headers/.config" "$headers/Module.symvers" "$PWD/tools/setup/prepare-kernel.sh"
		rustc --version
		bindgen --version
	} | sha256sum
}

# Trees of kernels that are gone.
remove_stale() {
	local old
	for old in "$cache"/*/; do
		[[ -d $old && ! -d $modules/$(basename "$old") ]] || continue
		rm -rf --one-file-system "$old"
	done
}

[[ -e $headers/.config && -e $headers/Module.symvers ]] ||
	fail "the headers of the kernel $release are missing here: apt install linux-headers-$release"
grep -qx CONFIG_RUST=y "$headers/.config" || fail "the kernel $release has no Rust support"

if [[ -e $headers/rust/libkernel.rmeta ]]; then
	tree=$headers
else
	mkdir -p "$cache"
	exec {lock}>"$cache/.lock"
	flock "$lock"
	tree=$folder/tree
	if [[ ! -e $folder/key || $(key) != "$(cat "$folder/key")" ]]; then prepare; fi
fi

arguments=(-j"$WG_JOBS" -C "$tree" "M=$PWD")
if grep -qx CONFIG_CC_IS_CLANG=y "$headers/.config"; then
	arguments+=(LLVM=1)
else
	arguments+=("CC=$(value CC_VERSION_TEXT | cut -d" " -f1)")
fi
make "${arguments[@]}" modules || fail "wireguard.ko does not build for the kernel $release; the lines above say why"
