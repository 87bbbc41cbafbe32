#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs wireguard.ko for one kernel, so that modprobe and the kernel's own auto-loading take it
# instead of the C module; or takes it out again. The C module's file is not touched: a module in
# updates/ goes before it.
# usage: install.sh install | uninstall
#
# KDIR                      the kernel to install for: as for make. Without it: the running kernel
# if its build
#                           folder has Rust metadata, else the prepared stock kernel.
# DESTDIR, INSTALL_MOD_PATH   the folder that stands for /
# SIGN_KEY, SIGN_CERT       files to sign the module with (see "Secure Boot" in docs/install.md)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# kmod's programs, also for those who came here by su.
PATH=$PATH:/usr/sbin:/sbin
root=${DESTDIR:-${INSTALL_MOD_PATH:-}}
root=${root%/}
running=$(uname -r)

# writable FOLDER: ends with a sentence if it is not.
writable() {
	local folder=$1
	until [[ -e $folder ]]; do folder=$(dirname "$folder"); done
	[[ -w $folder ]] || die "$folder cannot be written; become root"
}

# of_dkms RELEASE: whether DKMS manages the module there.
of_dkms() {
	compgen -G "$root/lib/modules/$1/updates/dkms/wireguard.ko*" >/dev/null
}

# index RELEASE: lets modprobe see what changed.
index() {
	local modules=$root/lib/modules/$1
	if [[ ! -e $modules/modules.order ]]; then
		echo "There is no kernel $1 in $root: run 'depmod $1' where there is."
		return
	fi
	command -v depmod >/dev/null || die "depmod is missing (Debian: apt install kmod)"
	depmod ${root:+-b "$root"} "$1"
}

# chosen RELEASE: the file that modprobe would take.
chosen() {
	modinfo ${root:+-b "$root"} -k "$1" -n wireguard 2>/dev/null || true
}

install_module() {
	local kernel release folder stage file
	if [[ ! ${KDIR:-} && -e /lib/modules/$running/build/rust/libkernel.rmeta ]]; then
		export KDIR=/lib/modules/$running/build
	fi
	if [[ ${KDIR:-} ]]; then
		kernel=$KDIR
	else
		"$WG_TOP/tools/setup.sh"
		kernel=$(kernel_folder)/tree
	fi
	[[ -e $kernel/include/config/kernel.release ]] || die "the kernel in $kernel is not prepared (no include/config/kernel.release)"
	release=$(cat "$kernel/include/config/kernel.release")
	[[ $root || -d /lib/modules/$release ]] ||
		die "the module would be for the kernel $release, which is not installed here (this machine runs $running); KDIR names another kernel, and 'make dkms-install' builds for every installed one"
	of_dkms "$release" && die "DKMS manages this module for $release; 'make dkms-remove' first, or 'apt remove wireguard-rust-dkms'"
	folder=$root/lib/modules/$release/updates
	writable "$folder"
	[[ ${SIGN_KEY:-} == "${SIGN_CERT:-}" || (-r ${SIGN_KEY:-} && -r ${SIGN_CERT:-}) ]] ||
		die "to sign the module, SIGN_KEY and SIGN_CERT must both name files"

	step "wireguard.ko for $release" "$WG_OUT/log/build.log" "$WG_TOP/tools/build.sh" modules
	stage=$WG_OUT/install
	remove_tree "$stage"
	step "${SIGN_KEY:+signed and }ready to install" "$WG_OUT/log/install.log" ready "$kernel" "$release" "$stage"
	file=$(compgen -G "$stage/lib/modules/$release/updates/wireguard.ko*")

	rm -f "$folder"/wireguard.ko{,.gz,.xz,.zst}
	install -D -m 644 -t "$folder" "$file"
	index "$release"
	file=$folder/$(basename "$file")
	if [[ -e $root/lib/modules/$release/modules.dep ]]; then
		[[ $(readlink -f "$(chosen "$release")") == "$(readlink -f "$file")" ]] ||
			die "modprobe would still take $(chosen "$release"): is the order changed in /etc/depmod.d?"
	fi
	echo "installed: $file"
	"$WG_TOP/tools/build/wgwhy.sh" install "$root"
	[[ $root || $release == "$running" ]] || echo "It is for the kernel $release; this machine runs $running now."
	[[ $root ]] || "$WG_TOP/tools/which.sh" --switch
}

# ready KERNEL RELEASE FOLDER: does what the kernel's build does to install, below FOLDER: it strips
# the module, signs it with the key in the kernel's build folder, if there is one, and compresses
# it. With SIGN_KEY, that signs it instead.
ready() {
	local arguments=("INSTALL_MOD_PATH=$3" INSTALL_MOD_STRIP=1 DEPMOD=true) file=$3/lib/modules/$2/updates/wireguard.ko
	[[ ! ${SIGN_KEY:-} && -e $1/certs/signing_key.x509 ]] || arguments+=(CONFIG_MODULE_SIG_ALL=)
	[[ ! ${SIGN_KEY:-} ]] || arguments+=(CONFIG_MODULE_COMPRESS_ALL=)
	"$WG_TOP/tools/build.sh" modules_install "${arguments[@]}" || return
	[[ ! ${SIGN_KEY:-} ]] || sign "$1" "$file"
}

# sign KERNEL FILE: with the kernel's own program for it.
sign() {
	local kernel=$1 file=$2 hash key certificate
	hash=$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"/\1/p' "$kernel/.config")
	key=$(readlink -f "$SIGN_KEY")
	certificate=$(readlink -f "$SIGN_CERT")
	if [[ ${KDIR:-} ]]; then
		"$kernel/scripts/sign-file" "${hash:-sha256}" "$key" "$certificate" "$file"
	else
		in_root -b "$(kernel_folder)" -b "$(dirname "$key"):/run/key" -b "$(dirname "$certificate"):/run/certificate" \
			"$kernel/scripts/sign-file" "${hash:-sha256}" "/run/key/${key##*/}" "/run/certificate/${certificate##*/}" "$file"
	fi
}

uninstall_module() {
	local releases=() release files folder found=''
	if [[ ${KDIR:-} ]]; then
		releases=("$(cat "$KDIR/include/config/kernel.release")")
	else
		for folder in "$root"/lib/modules/*/updates; do
			[[ -d $folder ]] && releases+=("$(basename "$(dirname "$folder")")")
		done
	fi
	for release in "${releases[@]}"; do
		folder=$root/lib/modules/$release/updates
		mapfile -t files < <(compgen -G "$folder/wireguard.ko*")
		((${#files[@]})) || continue
		writable "$folder"
		rm "${files[@]}"
		rmdir --ignore-fail-on-non-empty "$folder"
		index "$release"
		echo "removed: ${files[*]}"
		folder=$(chosen "$release")
		[[ ! $folder ]] || echo "modprobe takes $folder again."
		found=yes
	done
	if [[ $found ]]; then
		"$WG_TOP/tools/build/wgwhy.sh" remove "$root"
		[[ $root ]] || "$WG_TOP/tools/which.sh" --switch
	else
		for folder in "$root"/lib/modules/*; do
			of_dkms "$(basename "$folder")" && die "DKMS manages this module; 'make dkms-remove' takes it out, or 'apt remove wireguard-rust-dkms'"
		done
		echo "Nothing is installed in $root/lib/modules/${releases[*]:-*}/updates."
	fi
}

case ${1:-} in
install) install_module ;;
uninstall) uninstall_module ;;
*) die "unknown word '${1:-}' (see the top of $0)" ;;
esac
