#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Brings a kernel into the cache, built from the source that the stock kernel was prepared from; 5
# to 15 minutes on two CPUs, once. "um" and "x86" are for debugging, "clock" is that of "make bench
# PART=cpu". A half-made one was never renamed to its place and is made again.
# usage: kernel.sh um|x86|clock [--cached]    (--cached: do not build, only say whether it is there)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=$1
mapfile -t parts < <(kernel_parts "$name")
folder=$(debug_kernel "$name")
if [[ ${2:-} == --cached ]]; then
	[[ -d $folder ]]
	exit
fi
# A run of its own prunes the cache, which must not take this one.
[[ ! -d $folder ]] || touch "$folder/.used"

if [[ ! -d $folder ]]; then
	cache_lock "debug-$name"
fi
if [[ ! -d $folder ]]; then
	remove_tree "$folder.new"
	mkdir -p "$folder.new"
	# Links take no space, and no build writes into a source file. Sources of drivers that are
	# off could go, but the lists of options beside them could not.
	cp -al "$(kernel_folder)/tree" "$folder.new/tree"
	options=()
	for part in "${parts[@]}"; do
		if [[ $part == *.patch ]]; then
			# It puts a new file in the place of the one that is shared.
			in_root -b "$folder.new" patch -d "$folder.new/tree" -p1 --input="$part"
		else
			options+=("$part")
		fi
	done
	# Under its final path, which some generated files remember.
	step "kernel $name" "$WG_OUT/log/kernel-$name.log" \
		in_root -b "$folder.new:$folder" "$WG_TOP/tools/debug/build-kernel.sh" "$folder" "${options[@]}"
	# Before it is there: what was never used is pruned.
	touch "$folder.new/.used"
	mv "$folder.new" "$folder"
fi
touch "$folder/.used"
