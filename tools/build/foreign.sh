#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Gets programs of others that the root lacks, and prints the folder of each with them: builds what
# Debian does not package, with the root's cargo, and unpacks what few tests need. The folder lies
# in the cache and is keyed by version; quick when it is there.
# usage: foreign.sh NAME
#
#	boringtun         the program boringtun-cli, WireGuard in user space
#	bpftrace          Debian's program, with its library
#	wireguard-uapi    the tests set_and_get and enodev of the crate, a netlink client
#
# A selftest that says "# needs: boringtun" at its top finds the folder in WG_BORINGTUN (for
# bpftrace: WG_BPFTRACE, for wireguard-uapi: WG_UAPI).

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# The newest that this cargo builds: 0.7.1 wants a newer one.
boringtun=0.7.0
uapi=3.0.1
# Of trixie.
bpftrace=0.23.2

build_boringtun() {
	cargo install boringtun-cli --version "$boringtun" --locked --jobs "$WG_JOBS" --root "$1"
	mv "$1/bin/boringtun-cli" "$1"
}

# The other libraries are in the root: they come with clang and pahole.
build_bpftrace() {
	mkdir "$1/fetch"
	(cd "$1/fetch" && apt-get -q -o APT::Sandbox::User=root download "bpftrace=$bpftrace*" libbpfcc)
	for package in "$1/fetch"/*.deb; do dpkg-deb --extract "$package" "$1"; done
	LD_LIBRARY_PATH=$(echo "$1"/usr/lib/*-linux-gnu) "$1/usr/bin/bpftrace" --version
}

# A crate's tests cannot be installed, so its source is taken from where cargo keeps what it
# fetched.
build_uapi() {
	mkdir -p "$1/fetch/src"
	touch "$1/fetch/src/lib.rs"
	cat >"$1/fetch/Cargo.toml" <<-END
		[package]
		name = "fetch"
		version = "0.0.0"
		edition = "2021"

		[dependencies]
		wireguard-uapi = "=$uapi"
	END
	cargo fetch --manifest-path "$1/fetch/Cargo.toml"
	tar -C "$1" -xzf "$(find "$CARGO_HOME/registry/cache" -name "wireguard-uapi-$uapi.crate" -print -quit)"
	export CARGO_PROFILE_DEV_DEBUG=0
	cargo test --no-run --locked --jobs "$WG_JOBS" --manifest-path "$1/wireguard-uapi-$uapi/Cargo.toml" \
		--target-dir "$1/target" --test set_and_get --test enodev
	for test in set_and_get enodev; do
		find "$1/target/debug/deps" -name "$test-*" -perm /100 -exec mv {} "$1/$test" \;
		[[ -x $1/$test ]]
	done
}

if [[ ${1:-} == --inside ]]; then
	"build_$2" "$3"
	exit
fi

case ${1:-} in
boringtun) name=boringtun version=$boringtun ;;
bpftrace) name=bpftrace version=$bpftrace ;;
wireguard-uapi) name=uapi version=$uapi ;;
*) die "unknown program '${1:-}' (see the top of $0)" ;;
esac

# Below cargo's folder, which a guest sees too.
folder=$WG_CACHE/cargo/foreign/$1-$version
if [[ ! -d $folder ]]; then
	{
		cache_lock foreign
		if [[ ! -d $folder ]]; then
			remove_tree "$folder.new"
			mkdir -p "$folder.new"
			step "$1 $version" "$WG_OUT/log/$1.log" \
				in_root "$WG_TOP/tools/build/foreign.sh" --inside "$name" "$folder.new"
			remove_tree "$folder.new"/{fetch,target,bin,wireguard-uapi-"$uapi"}
			mv "$folder.new" "$folder"
		fi
	} >&2
fi
echo "$folder"
