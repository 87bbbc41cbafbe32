# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by the scripts for debug kernels: where they lie, and how a module is built for one.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# kernel_parts NAME: the lists of options that this kernel is made from, and its patch if it has
# one.
kernel_parts() {
	local part parts=("$WG_TOP/tools/debug/programs.config")
	case $1 in
	um | x86) parts+=("$WG_TOP"/tools/debug/{common.config,"$1.config","$1.patch"}) ;;
	clock) parts+=("$WG_TOP"/tools/bench/clock.{config,patch}) ;;
	*) die "there is no kernel '$1' to build" ;;
	esac
	for part in "${parts[@]}"; do [[ ! -f $part ]] || echo "$part"; done
}

# debug_kernel NAME: the folder of the debug kernel "um" or "x86", or of "clock", that of "make
# bench PART=cpu"; its name tells what it was made from.
debug_kernel() {
	local stock key parts
	stock=$(kernel_folder) || die "no kernel is prepared; 'make setup' does it"
	mapfile -t parts < <(kernel_parts "$1")
	key=$({
		basename "$stock"
		in_root sh -c 'clang --version; gcc-14 --version; rustc --version; bindgen --version'
		cat "${parts[@]}" "$WG_TOP/tools/debug/build-kernel.sh"
	} | sha256sum)
	printf '%s/debug-%s-%s\n' "$WG_CACHE" "$1" "${key:0:12}"
}

# debug_module NAME FOLDER: builds wireguard.ko for that kernel in FOLDER, from a copy of the
# checkout's source.
debug_module() {
	local kernel folder=$2
	kernel=$(debug_kernel "$1")
	copy_sources "$folder"
	kernel_make "$kernel/tree" "$folder" WG_CHECK=y modules
}
