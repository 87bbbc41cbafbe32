#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Enters the trixie root; called by in_root of lib.sh in fresh mount and process namespaces.
# usage: enter.sh ROOT [-l LAYER] [-w FOLDER[:LAYER]] [-b FOLDER[:PATH]]… [-v [-g GUEST-ROOT]] COMMAND…

set -euo pipefail

root=$1
shift
folders=("$WG_TOP" "$WG_CACHE/cargo")
vm=
machine=
layer=
guest_root=
while getopts 'b:g:l:vw:' option; do
	case $option in
	b) folders+=("$OPTARG") ;;
	g) guest_root=$OPTARG ;;
	l) layer=$OPTARG ;;
	w) machine=$OPTARG ;;
	v) vm=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

# mount_points ROOT: a place for each folder, below ROOT.
mount_points() {
	local folder
	for folder in "${folders[@]}"; do mkdir -p "$1${folder#*:}"; done
}

# show ROOT [read-only]: each folder, below ROOT, under the path asked for.
show() {
	local folder path
	for folder in "${folders[@]}"; do
		path=${folder#*:}
		# What was mounted since, on /tmp, may have hidden it.
		[[ -d $1$path ]] || mkdir -p "$1$path"
		mount --bind "${folder%%:*}" "$1$path"
		[[ ! ${2:-} ]] || mount -o remount,bind,ro "$1$path"
	done
}

mount --make-rprivate /

if [[ $machine ]]; then
	layer=${machine#"${machine%%:*}"}
	machine=${machine%%:*}
	mkdir -p "$machine"/{upper,work,root}
	mount -t overlay overlay "$machine/root" \
		-o "lowerdir=${layer:+${layer#:}:}$root,upperdir=$machine/upper,workdir=$machine/work"
	root=$machine/root
elif [[ $layer ]]; then
	# What is written here is forgotten with the command.
	mkdir -p "$WG_CACHE/.layered"
	mount -t tmpfs tmpfs "$WG_CACHE/.layered"
	mkdir "$WG_CACHE"/.layered/{upper,work,root}
	mount -t overlay overlay "$WG_CACHE/.layered/root" \
		-o "lowerdir=$layer:$root,upperdir=$WG_CACHE/.layered/upper,workdir=$WG_CACHE/.layered/work"
	root=$WG_CACHE/.layered/root
fi
guest=$root/.guest
mount_points "$root"

# What the guest sees as its root: read-only except the folder of results, unless it is one to write
# to.
if [[ $vm ]]; then
	mkdir -p "$guest"
	[[ ! $guest_root ]] || mount_points "$guest_root"
	mount --bind "${guest_root:-$root}" "$guest"
	[[ $machine ]] || mount -o remount,bind,ro "$guest"
	show "$guest" read-only
	mount --bind "$WG_OUT" "$guest$WG_OUT"
	if [[ ! $machine ]]; then
		mount --bind "$WG_KERNEL/stock/usr/lib/modules" "$guest/usr/lib/modules"
		mount -o remount,bind,ro "$guest/usr/lib/modules"
	fi
fi

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
show "$root"

# Names, certificates and cargo's registry as this machine has them set up.
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
	[[ -e $file && -e $root$file ]] && mount --bind "$(readlink -f "$file")" "$root$file"
done
for file in "${CARGO_HOME:-$HOME/.cargo}"/config{.toml,}; do
	[[ -f $file ]] || continue
	touch "$WG_CACHE/cargo/home/config.toml"
	mount --bind "$file" "$root$WG_CACHE/cargo/home/config.toml"
	break
done

keep=()
for name in TERM CI CC LLVM LANE {http,https,no,all}_proxy {HTTP,HTTPS,NO,ALL}_PROXY KERNEL_SERIES \
	"${!WG_@}" "${!CARGO_@}"; do
	[[ $name == CARGO_HOME || $name == CARGO_TARGET_DIR ]] && continue
	[[ -v $name ]] && keep+=("$name=${!name}")
done

# For each checkout its own: cargo would take the objects of a workspace member of another checkout
# for those of this one, while the files there are older than they.
target=$WG_CACHE/cargo/target/${WG_TOP//\//-}

trap 'exit 130' INT TERM
status=0
chroot "$root" env -i --chdir="$WG_TOP" "${keep[@]}" HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	CARGO_HOME="$WG_CACHE/cargo/home" CARGO_TARGET_DIR="$target" \
	"$@" || status=$?
exit "$status"
