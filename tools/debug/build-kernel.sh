#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: configures and builds the kernel in FOLDER/tree by lists of options, everything else off.
# usage: build-kernel.sh FOLDER CONFIG…

set -euo pipefail

folder=$1
shift
config=$folder/options
cat "$@" >"$config"
cd "$folder/tree"

make=(make -j"$WG_JOBS")
if grep -qx CONFIG_DEBUG_KERNEL=y "$config"; then
	# clang, as its sanitizers are those that rustc has too.
	make+=(LLVM=1)
else
	# As the stock kernel.
	make+=(CC="${CC:-x86_64-linux-gnu-gcc-14}")
fi
if grep -qx CONFIG_HOSTFS=y "$config"; then
	make+=(ARCH=um)
fi

make -s mrproper
"${make[@]}" KCONFIG_ALLCONFIG="$config" allnoconfig
# An option whose dependencies are missing is dropped in silence.
missing=$(grep -E '^CONFIG_' "$config" | grep -vxFf .config || true)
if [[ $missing ]]; then
	echo "the configuration did not take"
	echo "$missing"
	exit 1
fi

"${make[@]}"
"${make[@]}" INSTALL_MOD_PATH="$folder/stock/usr" modules_install
ln -s usr/lib "$folder/stock/lib"
"${make[@]}" -s kernelrelease >"$folder/release"
cp vmlinux "$folder/vmlinux"
cp .config "$folder/config"

# What building a module needs stays: no objects of the kernel itself.
find . -name '*.o' ! -path './scripts/*' ! -path './tools/*' -delete
find . \( -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' \) ! -path './scripts/*' ! -path './tools/*' \
	! -name 'vmlinux*.h' ! -name 'vmlinux*.S' -type f -delete
