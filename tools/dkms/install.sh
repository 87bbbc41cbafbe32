#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Hands the module's sources to DKMS, which builds it for every installed kernel that has headers,
# and for those that are installed later; or takes it out again.
# usage: install.sh install | remove

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/tools/dkms/sources.sh"

PATH=$PATH:/usr/sbin:/sbin
name=wireguard-rust
cache=/var/cache/wireguard-rust
state=/var/lib/dkms/$name
log=$WG_OUT/log/dkms.log

# versions: those that DKMS knows.
versions() {
	local link
	for link in "$state"/*/source; do
		[[ ! -L $link ]] || basename "$(dirname "$link")"
	done
}

# reason VERSION: the sentence that the build ended with.
reason() {
	sed -n 's/^error: //p' "$state/$1/build/make.log" 2>/dev/null | tail -n 1 | grep . ||
		echo "see $log"
}

# no_package: what dpkg has put here is for dpkg to change.
no_package() {
	! dpkg-query -W -f '${db:Status-Status}\n' wireguard-rust-dkms 2>/dev/null | grep -qx installed ||
		die "the package wireguard-rust-dkms is installed, which manages this module: 'apt remove wireguard-rust-dkms' takes it out"
}

add() {
	local version=$1 folder=/usr/src/$name-$1 kernel
	for kernel in "${kernels[@]}"; do
		! compgen -G "/lib/modules/$kernel/updates/wireguard.ko*" >/dev/null ||
			die "the module of 'make install' is there for $kernel; 'make uninstall' first"
	done
	if [[ -e $state/$version ]]; then
		dkms remove "$name/$version" --all >>"$log" 2>&1 ||
			die "DKMS cannot remove the version $version that is there (see $log); without its sources in /usr/src it cannot: delete $state/$version, and begin again"
	fi
	remove_tree "$folder"
	mkdir -p "$folder"
	(cd "$WG_TOP" && sources | xargs cp --parents --target-directory "$folder")
	sed "s/#MODULE_VERSION#/$version/" "$WG_TOP/tools/dkms/dkms.conf" >"$folder/dkms.conf"
	dkms add "$name/$version" >>"$log" 2>&1 || die "'dkms add' failed (see $log)"
}

# install_for VERSION KERNEL: an older version of ours is removed once the new one is built. (Not
# left to DKMS: it would keep the old file, as both say they are version 1.0.0 of WireGuard.)
install_for() {
	local version=$1 kernel=$2 other
	dkms build "$name/$version" -k "$kernel" >>"$log" 2>&1 || return
	for other in $(versions); do
		[[ $other == "$version" || ! -d $state/$other/$kernel ]] ||
			dkms remove "$name/$other" -k "$kernel" >>"$log" 2>&1
	done
	dkms install "$name/$version" -k "$kernel" >>"$log" 2>&1
}

install_module() {
	local version kernels=() kernel done='' failed='' old
	[[ $(id -u) == 0 ]] || die "DKMS needs root"
	command -v dkms >/dev/null || die "DKMS is missing here: apt install dkms"
	no_package
	for kernel in /lib/modules/*/build/.config; do
		[[ ! -e $kernel ]] || kernels+=("$(basename "$(dirname "$(dirname "$kernel")")")")
	done
	((${#kernels[@]})) || die "no installed kernel has its headers here: apt install linux-headers-$(uname -r)"
	version=$(version)
	mkdir -p "$(dirname "$log")"
	: >"$log"
	add "$version"
	for kernel in "${kernels[@]}"; do
		if ! grep -qx CONFIG_RUST=y "/lib/modules/$kernel/build/.config"; then
			echo "$kernel: skipped: the kernel has no Rust support; its own C module stays in use"
			continue
		fi
		echo "$kernel: building; the first time this takes some minutes"
		if install_for "$version" "$kernel"; then
			echo "$kernel: installed: $(modinfo -k "$kernel" -n wireguard)"
			done=yes
		else
			echo "$kernel: failed: $(reason "$version")"
			failed=yes
		fi
	done
	for old in $(versions); do
		if [[ $old != "$version" && ! $(find "$state/$old" -mindepth 2 -maxdepth 2 -name x86_64) ]]; then
			dkms remove "$name/$old" --all >>"$log" 2>&1 || true
		fi
	done
	# DKMS forgets a version with its last kernel, but leaves the sources.
	for old in "/usr/src/$name"-*; do
		[[ ! -d $old || -e $state/${old#"/usr/src/$name-"} ]] || remove_tree "$old"
	done
	if [[ ! $done ]]; then
		die "DKMS has the sources, but the module is installed for no kernel"
	fi
	"$WG_TOP/tools/build/wgwhy.sh" install
	"$WG_TOP/tools/which.sh" --switch
	[[ ! $failed ]]
}

# index_stale: runs depmod for kernels where a run that was killed has taken our file away but not
# told modprobe.
index_stale() {
	local list kernel
	for list in /lib/modules/*/modules.dep; do
		[[ -e $list ]] || continue
		kernel=$(basename "$(dirname "$list")")
		grep -q '^updates/dkms/wireguard\.ko' "$list" || continue
		compgen -G "/lib/modules/$kernel/updates/dkms/wireguard.ko*" >/dev/null || depmod "$kernel"
	done
}

remove_module() {
	local version folder
	[[ $(id -u) == 0 ]] || die "DKMS needs root"
	no_package
	mkdir -p "$(dirname "$log")"
	[[ $(versions) ]] || echo "DKMS has nothing of this module."
	for version in $(versions); do
		dkms remove "$name/$version" --all >"$log" 2>&1 || die "DKMS could not remove version $version (see $log)"
		echo "removed: version $version; the kernels' own C modules are back"
	done
	for folder in "/usr/src/$name"-*; do
		[[ ! -d $folder ]] || remove_tree "$folder"
	done
	remove_tree "$cache"
	"$WG_TOP/tools/build/wgwhy.sh" remove
	index_stale
	"$WG_TOP/tools/which.sh" --switch
}

case ${1:-} in
install) install_module ;;
remove) remove_module ;;
*) die "unknown word '${1:-}' (see the top of $0)" ;;
esac
