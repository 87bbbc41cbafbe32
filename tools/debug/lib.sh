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
		in_root sh -c 'clang --version; rustc --version; bindgen --version'
		cat "$WG_TOP"/tools/debug/{common.config,"$1.config",build-kernel.sh}
		[[ ! -f $WG_TOP/tools/debug/$1.patch ]] || cat "$WG_TOP/tools/debug/$1.patch"
	} | sha256sum)
	printf '%s/debug-%s-%s\n' "$WG_CACHE" "$1" "${key:0:12}"
}

# debug_module NAME FOLDER [PATCH…]: builds wireguard.ko for that kernel in FOLDER, from a copy of the checkout's
# source with these patches.
debug_module() {
	local kernel folder=$2 patch
	kernel=$(debug_kernel "$1")
	shift 2
	copy_sources "$folder"
	for patch; do
		in_root patch -d "$folder" -p1 --input="$patch" || return
	done
	kernel_make "$kernel/tree" "$folder" WG_CHECK=y modules
}
