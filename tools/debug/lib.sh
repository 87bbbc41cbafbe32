# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by the scripts for debug kernels: where they lie, and how a module is built for one.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# debug_kernel NAME: the folder of the debug kernel "um" or "x86"; its name tells what it was made from.
debug_kernel() {
	local stock key
	stock=$(kernel_folder) || die "no kernel is prepared; 'make setup' does it"
	key=$({
		basename "$stock"
		basename "$(root_folder)"
		cat "$WG_TOP/tools/debug/$1.config" "$WG_TOP/tools/debug/build-kernel.sh"
	} | sha256sum)
	printf '%s/debug-%s-%s\n' "$WG_CACHE" "$1" "${key:0:12}"
}

# debug_module NAME FOLDER [PATCH…]: builds wireguard.ko for that kernel in FOLDER, from a copy of the checkout's
# source with these patches. A second build there only does what changed.
debug_module() {
	local kernel folder=$2
	local -a arguments
	kernel=$(debug_kernel "$1")
	shift 2
	mkdir -p "$folder"
	# shellcheck disable=SC2016 # the inner shell expands it
	in_root -b "$kernel" bash -euc '
		kernel=$1 folder=$2
		shift 2
		rsync -a --delete --exclude "*.o" --exclude "*.cmd" --exclude "*.rmeta" --exclude "*_generated.rs" --exclude "*.d" \
			"$WG_TOP"/{Kbuild,rust} "$folder/"
		for patch; do
			patch -d "$folder" -p1 <"$patch"
		done' - "$kernel" "$folder" "$@"
	mapfile -t arguments < <(kernel_make_arguments "$kernel/tree")
	in_root -b "$kernel" make -j"$WG_JOBS" -C "$kernel/tree" M="$folder" "${arguments[@]}" modules
}
