#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds wireguard.ko: against the prepared stock tree, inside the root; or, with KDIR, against that
# kernel, here.
# LANE=… or ARCH=… names another prepared tree (tools/lanes/table).
# usage: build.sh [MAKE ARGUMENTS]
#        build.sh --examine KDIR    (only says in one sentence why the module cannot be built for that kernel)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Architectures that the module was built for; where it ran is in docs/lanes.md.
architectures="X86_64 ARM64 ARM LOONGARCH UML"

# What would make Kbuild fail far from the cause, or the kernel refuse the module, said in one
# sentence.
examine() {
	local kdir=$1 config=$1/include/config/auto.conf release option file built_by here known=
	[[ -e $kdir/Makefile ]] || die "KDIR=$kdir is no kernel build folder (Debian: apt install linux-headers-$(uname -r))"
	[[ -e $config ]] || die "the kernel in $kdir is not configured (no include/config/auto.conf)"
	release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null || true)
	if [[ $release && $(printf '%s\n' "$WG_OLDEST_SERIES" "$release" | sort -V | head -n 1) != "$WG_OLDEST_SERIES" ]]; then
		die "the kernel in $kdir is $release, and this module needs $WG_OLDEST_SERIES or newer: older ones lack Rust interfaces that it is built on"
	fi
	grep -qx CONFIG_RUST=y "$config" ||
		die "the kernel in $kdir has no Rust support (CONFIG_RUST is not set), so no Rust module can be built for it"
	for option in $architectures; do
		! grep -qx "CONFIG_$option=y" "$config" || known=yes
	done
	[[ $known ]] ||
		die "the kernel in $kdir is for an architecture that this module was never tried on (tried: ${architectures,,})"
	for option in NET_UDP_TUNNEL CRYPTO_LIB_CURVE25519 CRYPTO_LIB_CHACHA20POLY1305; do
		grep -qx "CONFIG_$option=[my]" "$config" ||
			die "the kernel in $kdir lacks CONFIG_$option, which this module needs: CONFIG_WIREGUARD=m brings it along; set that and build the kernel again"
	done
	! grep -qx CONFIG_WIREGUARD=y "$config" ||
		die "the kernel in $kdir has the C module built in (CONFIG_WIREGUARD=y), so that no other can be loaded: set CONFIG_WIREGUARD=m and build it again"
	for file in libcore.rmeta libkernel.rmeta; do
		[[ -e $kdir/rust/$file ]] ||
			die "$kdir lacks the kernel's Rust metadata (rust/$file), as header packages do: point KDIR to the full source of that kernel after 'make modules_prepare'"
	done
	command -v "${RUSTC:-rustc}" >/dev/null || die "rustc is missing here; install the version that built the kernel in $kdir"
	command -v "${BINDGEN:-bindgen}" >/dev/null || die "bindgen is missing here (Debian: apt install bindgen)"
	# Some series quote the text in this file, some do not.
	built_by=$(sed -nE 's/^CONFIG_RUSTC_VERSION_TEXT="?([^"]*)"?$/\1/p' "$config")
	here=$("${RUSTC:-rustc}" --version)
	[[ $built_by == "$here" ]] ||
		die "the kernel in $kdir was built by '$built_by'; it refuses modules built by '$here'"
	! grep -qx CONFIG_MODULE_SIG_FORCE=y "$config" || [[ ${SIGN_KEY:-} ]] ||
		echo "note: the kernel in $kdir loads signed modules only; docs/install.md says how to sign this one" >&2
}

# make_and_say COMMAND… ARGUMENTS: runs the kernel's make, without its remark that there is no BTF,
# which a module does without; says what there is now, and what can be done with it.
make_and_say() {
	"$@" 2> >(grep -v '^Skipping BTF generation' >&2)
	[[ ${*: -1} == modules && ${*: -2:1} != WG_DOC=1 ]] || return 0
	echo "wireguard.ko is built for $(cat "$kdir/include/config/kernel.release"); next: make run, make test, make install"
}

# identity KDIR: what a module built for this kernel fits: another one may come to lie in the same
# folder.
identity() {
	echo "$1"
	sha256sum "$1"/include/config/{auto.conf,kernel.release} "$1"/rust/libkernel.rmeta "$1/Module.symvers" 2>/dev/null || true
}

if [[ ${1:-} == --examine ]]; then
	examine "$2"
	exit
fi

# Two makes in one checkout would write the same objects.
mkdir -p "$WG_TOP/out"
exec {build_lock}>"$WG_TOP/out/.build.lock"
flock "$build_lock"

kdir=${KDIR:-}
if [[ $kdir && $kdir != "$WG_CACHE"/* ]]; then
	kdir=$(readlink -f "$kdir" || true)
	[[ ${1:-} == clean ]] || examine "${kdir:-$KDIR}"
	mapfile -t arguments < <(kernel_make_arguments "$kdir")
	build=(make -j"$WG_JOBS" -C "$kdir" M="$WG_TOP" "${arguments[@]}")
else
	if [[ ! $kdir ]]; then
		kernel=$(kernel_folder) || die "no kernel is prepared; 'make setup${LANE:+ LANE=$LANE}' does it"
		kdir=$kernel/tree
	fi
	build=(kernel_make "$kdir" "$WG_TOP")
fi

# Kbuild compares commands and files' times, which says nothing of a kernel or compiler that took
# another's place.
built_for=$WG_TOP/out/.built-for
if [[ ${1:-} != clean ]]; then
	identity=$(identity "$kdir")
	if [[ -e $built_for && $(cat "$built_for") != "$identity" ]]; then
		echo "the kernel or its compiler is another one than at the last build: everything is built anew"
		"${build[@]}" clean
	fi
	printf '%s\n' "$identity" >"$built_for"
fi
make_and_say "${build[@]}" "$@"
