#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Made-up kernel folders, each with one fault: the build says in one sentence what is wrong, and
# changes nothing. A folder without a fault is taken. Another kernel or compiler that takes the
# place of the last one makes the build begin anew.
# Ends with "N passed, M failed, K skipped".

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# kernel: one for which the module could be built, with the compiler that the first of PATH is.
kernel() {
	rm -rf "${folder:?}"/{kernel,bin}
	mkdir -p "$folder"/{kernel/include/config,kernel/rust,bin}
	touch "$folder"/kernel/{Makefile,Module.symvers,rust/libcore.rmeta,rust/libkernel.rmeta}
	echo "7.3.4+made-up" >"$folder/kernel/include/config/kernel.release"
	cat >"$config" <<-'END'
		CONFIG_X86_64=y
		CONFIG_RUST=y
		CONFIG_NET_UDP_TUNNEL=m
		CONFIG_CRYPTO_LIB_CURVE25519=m
		CONFIG_CRYPTO_LIB_CHACHA20POLY1305=y
		CONFIG_WIREGUARD=m
		CONFIG_RUSTC_VERSION_TEXT=rustc 1.85.1 (made up)
	END
	printf '#!/bin/sh\necho "rustc 1.85.1 (made up)"\n' >"$folder/bin/rustc"
	printf '#!/bin/sh\n' >"$folder/bin/bindgen"
	chmod +x "$folder"/bin/*
}
config=$folder/kernel/include/config/auto.conf

# says TEXT COMMAND…: what it prints is one line with TEXT ("" for nothing at all), and no file is
# touched.
says() {
	local text=$1 output before
	shift
	before=$(find "$folder" "$WG_TOP" -path "$WG_TOP/out" -prune -o -path "$WG_TOP/.git" -prune -o \
		-type f -printf '%p %T@\n' | sort | sha256sum)
	output=$(PATH=$folder/bin:$PATH "$@" 2>&1) || true
	if [[ ($text && $output == *"$text"* || $output == "$text") && $(wc -l <<<"$output") == 1 ]] &&
		[[ $before == "$(find "$folder" "$WG_TOP" -path "$WG_TOP/out" -prune -o -path "$WG_TOP/.git" -prune -o \
			-type f -printf '%p %T@\n' | sort | sha256sum)" ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'wanted: %s\nsaid: %s\n' "$text" "$output"
	fi
}

build=("$WG_TOP/tools/build.sh" --examine "$folder/kernel")

# broken TEXT SED-SCRIPT: of the configuration.
broken() {
	kernel
	sed -i "$2" "$config"
	says "$1" "${build[@]}"
}

kernel
says "" "${build[@]}"
# Older series quote.
kernel
sed -i 's/TEXT=\(.*\)/TEXT="\1"/' "$config"
says "" "${build[@]}"

broken "has no Rust support" '/RUST=/d'
broken "an architecture that this module was never tried on" 's/X86_64/RISCV/'
broken "lacks CONFIG_NET_UDP_TUNNEL" '/UDP_TUNNEL/d'
broken "lacks CONFIG_CRYPTO_LIB_CURVE25519" '/CURVE25519/d'
broken "has the C module built in" 's/WIREGUARD=m/WIREGUARD=y/'
broken "it refuses modules built by" 's/1\.85\.1/1.97.1/'
broken "note: the kernel in $folder/kernel loads signed modules only" 's/^CONFIG_RUST=y$/&\nCONFIG_MODULE_SIG_FORCE=y/'

kernel
rm "$folder/kernel/Makefile"
says "is no kernel build folder" "${build[@]}"
kernel
rm "$config"
says "is not configured" "${build[@]}"
kernel
echo "6.18.2+made-up" >"$folder/kernel/include/config/kernel.release"
says "this module needs 7.2 or newer" "${build[@]}"
kernel
rm "$folder/kernel/rust/libkernel.rmeta"
says "lacks the kernel's Rust metadata" "${build[@]}"
kernel
says "is no kernel series such as 7.3" env KERNEL_SERIES=foo "$WG_TOP/tools/setup.sh"
says "this module needs 7.2 or newer" env KERNEL_SERIES=6.12 "$WG_TOP/tools/setup.sh"
says "there is no lane 'foo'" env LANE=foo "$WG_TOP/tools/setup.sh"
says "there is no lane for the architecture 'riscv'" env ARCH=riscv "$WG_TOP/tools/setup.sh"

# makes WANTED…: what a build makes, in a copy of the checkout that has nothing else in it.
makes() {
	local said
	said=$(PATH=$folder/bin:$PATH KDIR=$folder/kernel "$folder/checkout/tools/build.sh" modules 2>&1 |
		sed -n 's/^made //p' | paste -sd ' ')
	if [[ $said == "$*" ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'wanted: %s\nmade: %s\n' "$*" "$said"
	fi
}

kernel
printf 'modules clean:\n\t@echo made $@\n' >"$folder/kernel/Makefile"
mkdir -p "$folder/checkout/tools/lanes"
cp "$WG_TOP"/tools/{lib,build}.sh "$folder/checkout/tools"
cp "$WG_TOP/tools/lanes/table" "$folder/checkout/tools/lanes"
makes modules
makes modules
echo "another kernel crate" >"$folder/kernel/rust/libkernel.rmeta"
makes clean modules
makes modules
sed -i 's/made up/made up later/' "$config" "$folder/bin/rustc"
makes clean modules

tally
