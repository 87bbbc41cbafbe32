# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # set in tools/test/install.sh
# The part of tools/test/install.sh that is about the driver inside a kernel tree: User Mode Linux
# with it built in, and with it as a module of a kernel without IPv6.

intree=$WG_OUT/intree

put_in_tree() {
	remove_tree "$intree"
	mkdir -p "$intree"
	# Links take no space, and the builds put new files in the place of old ones.
	cp -al "$kernel/tree" "$intree/tree"
	"$WG_TOP/tools/intree.sh" "$intree/tree"
	# A second time changes nothing.
	cp "$intree/tree/drivers/net/Kconfig" "$intree/Kconfig"
	"$WG_TOP/tools/intree.sh" "$intree/tree"
	cmp "$intree/tree/drivers/net/Kconfig" "$intree/Kconfig"
	wants "is no kernel source" fails "$WG_TOP/tools/intree.sh" "$intree"
}

built_in_tree() {
	in_root "$WG_TOP/tools/intree/build.sh" "$intree" "$WG_TOP/tools/debug/programs.config" \
		"$WG_TOP/tools/intree/um.config"
}

# booted_intree y|m
booted_intree() {
	local job=$WG_OUT/vm/intree status=0
	"$WG_TOP/tools/vm/boot.sh" --kernel "$intree/$1" --mode um --job "$job" --limit $((120 * ${WG_PATIENCE:-1})) -- \
		"$WG_TOP/tools/intree/guest.sh" "$1" || status=$?
	cat "$job/output.log"
	return "$status"
}

test_intree() {
	check "the driver in a kernel tree" put_in_tree
	check "User Mode Linux with it, built in and as a module" built_in_tree
	check "built in: selftest tunnel" booted_intree y
	check "as a module, without IPv6: selftest tunnel" booted_intree m
	((failed)) || remove_tree "$intree"
}
