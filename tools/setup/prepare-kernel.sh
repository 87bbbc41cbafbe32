#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: makes FOLDER/tree, against which modules for the kernel in FOLDER/stock are built.
# Debian's header packages lack the Rust metadata; the same source, configuration and compilers make it again.
# usage: prepare-kernel.sh FOLDER

set -euo pipefail

folder=$1
release=$(cat "$folder/release")
headers=$folder/stock/usr/src/linux-headers-$release
make=(make -j"$WG_JOBS" CC=x86_64-linux-gnu-gcc-14)

mkdir "$folder/tree"
cd "$folder/tree"
tar -xJf "$folder/source.tar.xz" --strip-components=1
rm "$folder/source.tar.xz"
cp "$headers/.config" .config

# Rust metadata of another compiler would not fit the kernel's own symbols.
built_by=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' .config)
if [[ $built_by != "$(rustc --version)" ]]; then
	echo "the kernel was built by '$built_by', but the root has '$(rustc --version)'"
	exit 1
fi

# The release string must be the stock one: it is part of what the kernel compares when a module loads.
scripts/config --set-str LOCALVERSION "${release#"$(make -s kernelversion)"}" -d LOCALVERSION_AUTO \
	--set-str MODULE_SIG_KEY certs/signing_key.pem
"${make[@]}" olddefconfig
"${make[@]}" modules_prepare
made=$("${make[@]}" -s kernelrelease)
if [[ $made != "$release" ]]; then
	echo "the prepared tree calls itself $made, the stock kernel $release"
	exit 1
fi
cp "$headers/Module.symvers" .

# The same kernel unpacked: QEMU starts it directly, which saves the emulated CPU from unpacking it at each boot.
scripts/extract-vmlinux "$folder/vmlinuz" >"$folder/vmlinux"
[[ -s $folder/vmlinux ]] || cp "$folder/vmlinuz" "$folder/vmlinux"
