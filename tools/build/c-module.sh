#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the C driver out of the kernel's source under another name, so that it loads beside ours:
# module and interface kind "wireguarc", netlink family "wireguarc"; and "wgc", the program wg that
# speaks to that family.
# Prints the folder with wireguarc.ko and wgc; it lies in the cache, beside the kernel. Quick when
# it is there.
# usage: c-module.sh [KERNEL]    for the stock kernel or that in the folder KERNEL
#
# A selftest that needs them says "# needs: c-module" at its top; then tools/test-vm.sh calls this,
# and load_c_module of selftests/lib.sh loads the module and puts wgc into the PATH. Other scripts
# for the guest get the same by
#
#	WG_C_MODULE=$(tools/build/c-module.sh) tools/vm/boot.sh -- SCRIPT

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# inside TREE FOLDER: what runs in the root.
inside() {
	local tree=$1 folder=$2 arguments
	cp -r "$tree/drivers/net/wireguard" "$folder/build"
	cd "$folder/build"
	# The family's name is the only one that is not taken from the module's. The kernel's own
	# Makefile would say "wireguard" again, so its list of objects is taken out of it.
	cat >names.h <<-'END'
		#include <uapi/linux/wireguard.h>
		#undef WG_GENL_NAME
		#define WG_GENL_NAME "wireguarc"
	END
	sed -n 's/^wireguard-y/wireguarc-y/p' Makefile >objects.mk
	grep -q 'main\.o' objects.mk
	cat >Kbuild <<-'END'
		obj-m := wireguarc.o
		ccflags-y := -D'pr_fmt(fmt)=KBUILD_MODNAME ": " fmt' -include $(src)/names.h
		include $(src)/objects.mk
	END
	mapfile -t arguments < <(kernel_make_arguments "$tree")
	make -j"$WG_JOBS" -C "$tree" M="$PWD" "${arguments[@]}" modules
	cp wireguarc.ko "$folder"
	sed 's/wireguard/wireguarc/g' /usr/bin/wg >"$folder/wgc"
	chmod +x "$folder/wgc"
	cd "$folder"
	rm -r build
}

if [[ ${1:-} == --inside ]]; then
	inside "$2" "$3"
	exit
fi

kernel=${1:-$(kernel_folder)} || die "no kernel is prepared; 'make setup' does it"
key=$(cat "$0" "$(root_folder)/usr/bin/wg" | sha256sum)
folder=$kernel/wireguarc-${key:0:12}
if [[ ! -d $folder ]]; then
	{
		cache_lock wireguarc
		if [[ ! -d $folder ]]; then
			remove_tree "$folder.new"
			mkdir "$folder.new"
			step "wireguarc.ko, the C driver under another name" "$WG_OUT/log/c-module.log" \
				in_root -b "$kernel" "$WG_TOP/tools/build/c-module.sh" --inside "$kernel/tree" "$folder.new"
			mv "$folder.new" "$folder"
		fi
	} >&2
fi
echo "$folder"
