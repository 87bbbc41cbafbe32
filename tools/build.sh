#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds wireguard.ko: against the prepared stock tree, inside the root; or, with KDIR, against that kernel, here.
# usage: build.sh [MAKE ARGUMENTS]

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# What would make Kbuild fail far from the cause, said in one sentence.
examine() {
	local kdir=$1 config=$1/include/config/auto.conf option file built_by here
	[[ -e $kdir/Makefile ]] || die "KDIR=$kdir is no kernel build folder"
	[[ -e $config ]] || die "the kernel in $kdir is not configured (no include/config/auto.conf)"
	grep -qx CONFIG_RUST=y "$config" ||
		die "the kernel in $kdir has no Rust support (CONFIG_RUST is not set), so no Rust module can be built for it"
	grep -qx CONFIG_IPV6=y "$config" ||
		die "the kernel in $kdir has no IPv6 (CONFIG_IPV6 is not set), which this module cannot do without: build it with IPv6, which may still be disabled at boot"
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
	command -v "${RUSTC:-rustc}" >/dev/null || die "rustc is missing here; the kernel in $kdir needs the very one that built it"
	command -v "${BINDGEN:-bindgen}" >/dev/null || die "bindgen is missing here (Debian: apt install bindgen)"
	built_by=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' "$config")
	here=$("${RUSTC:-rustc}" --version)
	[[ $built_by == "$here" ]] ||
		die "the kernel in $kdir was built by '$built_by', but here is '$here', whose modules it would not take"
}

# make_and_say COMMAND… ARGUMENTS: runs the kernel's make, without its remark that there is no BTF, which a module does
# without; says what there is now, and what can be done with it.
make_and_say() {
	"$@" 2> >(grep -v '^Skipping BTF generation' >&2)
	[[ ${*: -1} == modules && ${*: -2:1} != WG_DOC=1 ]] || return 0
	echo "wireguard.ko is built for $(cat "$kdir/include/config/kernel.release"); next: make run, make test, make install"
}

# Two makes in one checkout would write the same objects.
mkdir -p "$WG_OUT"
exec {build_lock}>"$WG_OUT/.build.lock"
flock "$build_lock"

kdir=${KDIR:-}
if [[ $kdir && $kdir != "$WG_CACHE"/* ]]; then
	kdir=$(readlink -f "$kdir" || true)
	[[ ${1:-} == clean ]] || examine "${kdir:-$KDIR}"
	mapfile -t arguments < <(kernel_make_arguments "$kdir")
	make_and_say make -j"$WG_JOBS" -C "$kdir" M="$WG_TOP" "${arguments[@]}" "$@"
	exit
fi

if [[ ! $kdir ]]; then
	kernel=$(kernel_folder) || die "no kernel is prepared; 'make setup' does it"
	kdir=$kernel/tree
fi
make_and_say kernel_make "$kdir" "$WG_TOP" "$@"
