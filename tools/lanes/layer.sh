#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Makes a layer of tools/lanes/packages: packages over the trixie root, or "guest", the root of a
# virtual machine for the lane's architecture. Quick when it is there.
# usage: layer.sh NAME

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

name=$1
folder=$(layer_folder "$name")
mapfile -t packages < <(sed -n "s/^$name //p" "$WG_TOP/tools/lanes/packages" | xargs -n 1)

over_root() {
	mkdir -p "$WG_CACHE/debs/partial"
	LANE='' in_root -w "$folder.new" -b "$WG_CACHE/debs:/var/cache/apt/archives" \
		env INITRD=No DEBIAN_FRONTEND=noninteractive apt-get -q -o APT::Sandbox::User=root \
		-o DPkg::Use-Pty=0 -y --no-install-recommends install "${packages[@]}"
	mv "$folder.new/upper" "$folder"
	remove_tree "$folder.new"
}

# Unpacked only: programs of another architecture cannot be run here, so what their installation
# would do is done for those that the tests need.
guest() {
	local new=$folder.new root settings=()
	root=$(root_folder)
	# What apt needs to reach the archive, as the root was made with it.
	[[ ! -e $root/etc/apt/apt.conf.d/99mmdebstrap ]] || settings=("--aptopt=$root/etc/apt/apt.conf.d/99mmdebstrap")
	# mmdebstrap's mounts end with the namespace.
	unshare --mount --pid --fork --kill-child mmdebstrap --mode=root --variant=extract \
		--architectures="$(lane_says arch)" --include="$(IFS=,; echo "${packages[*]}")" \
		"${settings[@]}" trixie "$new" - < <(grep '^deb ' "$root/etc/apt/sources.list")
	ln -sf bash "$new/usr/bin/sh"
	ln -sf gawk "$new/usr/bin/awk"
	ln -sf iptables-nft "$new/usr/sbin/iptables"
	ln -sf ip6tables-nft "$new/usr/sbin/ip6tables"
	ln -sf ncat "$new/usr/bin/nc"
	printf 'root:x:0:0:root:/root:/bin/bash\n' >"$new/etc/passwd"
	printf 'root:x:0:\n' >"$new/etc/group"
	mkdir -p "$new"/{proc,sys,dev,run,tmp,usr/lib/modules}
	mv "$new" "$folder"
}

# A process of its own, as "set -e" has no effect in a function whose status is asked for.
if [[ ${2:-} == --inside ]]; then
	case $name in
	guest) guest ;;
	*) over_root ;;
	esac
	exit
fi

if [[ ! -d $folder ]]; then
	cache_lock "layer-$name"
fi
if [[ ! -d $folder ]]; then
	remove_tree "$folder.new"
	mkdir -p "$folder.new"
	step "packages for lanes: $name, $(lane_says arch)" "$WG_OUT/log/layer-$name.log" "$0" "$name" --inside
fi
touch "$folder/.used"
