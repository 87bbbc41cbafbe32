# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # set in tools/test/install.sh
# The part of tools/test/install.sh that is about the Debian package; after tools/dkms/test.sh,
# whose functions it uses.

package=wireguard-rust-dkms

# build_package: leaves its path in $machine/package. The version of a second one is later.
build_package() {
	"$WG_TOP/tools/deb/build.sh" | tee /dev/stderr | tail -n 1 >"$machine/package"
}

# deb WORDS…: apt with the package; the file is where the root sees it.
deb() {
	apt "$@" "$(cat "$machine/package")"
}

# state WANTED: of the package, as dpkg calls it.
state() {
	# shellcheck disable=SC2016 # dpkg-query expands it
	wants "$1" on_machine dpkg-query -W -f '${db:Status-Abbrev}\n' "$package"
}

refused_beside_make_install() {
	local file=/lib/modules/$release/updates/wireguard.ko
	on_machine install -D /dev/null "$file"
	wants "'make uninstall' in its checkout first" fails deb install
	on_machine rm -r "/lib/modules/$release/updates"
	takes C "$release"
	on_machine dpkg --purge "$package"
}

deb_install() {
	wants "$release: takes the module in Rust" deb install
	takes Rust "$release"
	state "ii"
	wants "usage: wgwhy" on_machine wgwhy --help
	wants "DKMS module signing key" on_machine modinfo -k "$release" -F signer wireguard
	wants "the package wireguard-rust-dkms is installed" fails on_machine make -C "$checkout" dkms-install
	wants "the package wireguard-rust-dkms is installed" fails on_machine make -C "$checkout" dkms-remove
}

# Headers that have the Rust metadata, as some distributions ship them: neither a source nor a cache
# is needed.
shipped_metadata() {
	on_machine bash -ec "
		mkdir -p /lib/modules/9.9.9
		ln -s $trees/$release/tree /lib/modules/9.9.9/build
		cp -r /usr/src/wireguard-rust-*/ /run/build
		cd /run/build
		WG_DKMS_CACHE=/run/none tools/dkms/build.sh 9.9.9
		[[ -s wireguard.ko && ! -e /run/none ]]
		rm -r /lib/modules/9.9.9"
}

# reconfigured TEXT: the postinst runs again and says so, and the package is all right.
reconfigured() {
	wants "$1" on_machine env DEBIAN_FRONTEND=noninteractive dpkg-reconfigure -f noninteractive "$package"
	state "ii"
}

# A kernel whose headers are not here, and one without Rust.
kernels_not_served() {
	local old=$release.old
	on_machine mkdir -p "/lib/modules/$old" "/lib/modules/1.2.3/build/include"
	on_machine touch "/lib/modules/$old/modules.dep" "/lib/modules/1.2.3/modules.dep" "/lib/modules/1.2.3/build/.config"
	wants "1.2.3: keeps its own module: the kernel has no Rust support" \
		reconfigured "$old: its headers are missing (apt install linux-headers-$old); it keeps its own module"
	on_machine rm -r "/lib/modules/$old" /lib/modules/1.2.3
	takes Rust "$release"
}

# cannot_build REASON PREPARATION: apt installs the package all the same, and the kernel keeps its
# own module.
cannot_build() {
	on_machine mv "$trees" /root/trees
	wants "$release: keeps its own module: $1" on_machine bash -ec "$2
		mkdir -p $trees
		DEBIAN_FRONTEND=noninteractive dpkg-reconfigure -f noninteractive $package"
	state "ii"
	takes C "$release"
	on_machine bash -c "rm -rf $trees && mv /root/trees $trees"
}

other_compiler() {
	cannot_build "the kernel $release was built by" "mkdir /run/bin
		echo \"echo '\$(rustc --version) of another day'\" >/run/bin/rustc
		chmod +x /run/bin/rustc
		PATH=/run/bin:\$PATH"
}

no_space() {
	cannot_build "$trees needs 3 GB of free space" "mkdir -p $trees; mount -t tmpfs -o size=100m tmpfs $trees"
}

# interrupted: as if the machine had lost its power while the module was being built.
interrupted() {
	local pid
	on_machine bash -c 'rm -f /var/lib/dkms/wireguard-rust/*/build/make.log'
	set -m
	deb install --reinstall >"$machine/interrupted.log" 2>&1 &
	pid=$!
	until grep -qs RUSTC "$machine"/upper/var/lib/dkms/wireguard-rust/*/build/make.log; do
		kill -0 "$pid" || { cat "$machine/interrupted.log"; return 1; }
		sleep 0.2
	done
	kill -KILL "$pid"
	wait "$pid" || true
	cat "$machine/interrupted.log"
	fails state "ii"
	wants "$release: takes the module in Rust" on_machine dpkg --configure -a
	takes Rust "$release"
	state "ii"
}

# A later version takes the place of this one; a machine's module stays in use meanwhile: see
# tools/vm/live.sh.
upgrade() {
	local before after
	before=$(on_machine dkms status wireguard-rust)
	WG_DEB_TIME=2037-01-01 build_package
	deb install
	after=$(on_machine dkms status wireguard-rust)
	printf '%s\n' "$before" "$after"
	[[ $(wc -l <<<"$after") == 1 && $after == *~20370101.0000*installed* ]]
	takes Rust "$release"
}

# live: in a virtual machine, with a tunnel that is up.
live() {
	local job=$machine/vm status=0
	"$WG_TOP/tools/vm/boot.sh" --machine "$machine" --job "$job" --limit $((240 * ${WG_PATIENCE:-1})) -- \
		"$WG_TOP/tools/vm/live.sh" || status=$?
	cat "$job/output.log"
	return "$status"
}

deb_removed() {
	takes C "$release"
	state rc
	on_machine dpkg --purge "$package"
	[[ ! $(on_machine dpkg --verify "linux-modules-$release") ]]
	wants "nothing left" on_machine bash -c \
		"find /usr/src/wireguard-rust-* /var/lib/dkms/wireguard-rust $trees /lib/modules/*/updates 2>/dev/null | grep . || echo nothing left"
}

test_deb() {
	new_machine package
	unpack_checkout
	borrow_trees
	check "make dkms-install PART=deb" build_package
	check "apt installs $release, headers and source" kernel_by_apt
	check "beside make install: refused" refused_beside_make_install
	check "apt install ./$package.deb" deb_install
	keep_trees
	check "booted: ours" booted "" Rust
	check "headers with Rust metadata: no source is needed" shipped_metadata
	check "kernels that are not served keep their module" kernels_not_served
	check "another compiler: so does this one" other_compiler
	check "no space: so does this one" no_space
	check "interrupted, and repaired" interrupted
	check "upgrade" upgrade
	check "upgrade and removal under a live tunnel" live
	check "removed and purged: nothing is left" deb_removed
	check "booted: the C module" booted "" C
}
