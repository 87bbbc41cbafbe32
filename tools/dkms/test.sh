# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The part of tools/test/install.sh that is about DKMS: a Debian 13 machine whose kernels come by
# apt.

# shellcheck disable=SC2154 # set in tools/test/install.sh
series=$(cut -d. -f1,2 <<<"$release")
# The same version for virtual machines in clouds is another kernel to DKMS: another name,
# configuration and set of symbols.
cloud=${release%-amd64}-cloud-amd64
trees=/var/cache/wireguard-rust
checkout=/root/wireguard

# apt OPTIONS…: packages are downloaded once.
apt() {
	mkdir -p "$WG_CACHE/debs/partial"
	in_root -w "$machine" -b "$WG_CACHE/debs:/var/cache/apt/archives" env INITRD=No DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o APT::Sandbox::User=root -o DPkg::Use-Pty=0 -y --no-install-recommends "$@"
}

# in_tree RELEASE: the C module's file for it.
in_tree() {
	on_machine bash -c "compgen -G '/lib/modules/$1/kernel/drivers/net/wireguard/wireguard.ko*'"
}

# takes IMPLEMENTATION RELEASE: modprobe does, on that kernel.
takes() {
	if [[ $1 == Rust ]]; then
		wants "/lib/modules/$2/updates/dkms/wireguard.ko" file_for "$2"
		wants "$2 " on_machine modinfo -k "$2" -F vermagic wireguard
	else
		wants "/lib/modules/$2/kernel/drivers/net/wireguard/wireguard.ko" file_for "$2"
	fi
}

# unpack_checkout: what a user has who took an archive of the sources: no git.
unpack_checkout() {
	mkdir -p "$machine/upper$checkout"
	(cd "$WG_TOP" && { git ls-files 2>/dev/null | grep . || find . -path ./out -prune -o -type f -print; } |
		xargs cp --parents --target-directory "$machine/upper$checkout")
}

# The prepared trees are kept from one run to the next: their keys tell whether they fit.
borrow_trees() {
	[[ ! -d $WG_CACHE/dkms ]] || mkdir -p "$machine/upper/var/cache"
	[[ ! -d $WG_CACHE/dkms ]] || cp -a "$WG_CACHE/dkms" "$machine/upper$trees"
}

keep_trees() {
	remove_tree "$WG_CACHE/dkms.new"
	cp -a "$machine/upper$trees" "$WG_CACHE/dkms.new"
	remove_tree "$WG_CACHE/dkms"
	mv "$WG_CACHE/dkms.new" "$WG_CACHE/dkms"
}

kernel_by_apt() {
	apt install -t trixie-backports "linux-image-$release" "linux-headers-$release" "linux-source-$series" initramfs-tools
	takes C "$release"
}

dkms_install() {
	wants "$release: installed: /lib/modules/$release/updates/dkms/wireguard.ko" on_machine make -C "$checkout" dkms-install
	takes Rust "$release"
	wants "DKMS module signing key" on_machine modinfo -k "$release" -F signer wireguard
	# The sources and nothing but them: no object of this build or another.
	wants "no objects" on_machine bash -c "find /usr/src/wireguard-rust-*/ -name '*.o' -o -name '*_generated.rs' -o -name '.git*' | grep . || echo no objects"
}

# The hooks of the kernel's packages call DKMS.
another_kernel() {
	wants "succeeded for module(s) wireguard-rust" apt install -t trixie-backports "linux-image-$cloud" "linux-headers-$cloud"
	takes Rust "$cloud"
	takes Rust "$release"
}

kernel_without_rust() {
	local old
	old=$(on_machine apt-cache search --names-only '^linux-headers-6\.12\.[0-9]+\+deb13-cloud-amd64$' | awk '{ print $1 }' | sort -V | tail -n 1)
	old=${old#linux-headers-}
	wants "skipped for module(s) wireguard-rust" apt install "linux-image-$old" "linux-headers-$old"
	fails on_machine grep -x CONFIG_RUST=y "/lib/modules/$old/build/.config"
	takes C "$old"
	wants "$old: skipped: the kernel has no Rust support" on_machine make -C "$checkout" dkms-install
	takes C "$old"
	takes Rust "$release"
}

# Later sources take the place of earlier ones, though both modules call themselves 1.0.0.
newer_sources() {
	local before after newer
	newer=$(cat "$WG_TOP/rust/VERSION")~20370101.0000
	before=$(on_machine dkms status wireguard-rust)
	touch -d '2037-01-01' "$machine/upper$checkout/rust/driver/wireguard.rs"
	on_machine make -C "$checkout" dkms-install
	after=$(on_machine dkms status wireguard-rust)
	printf '%s\n' "$before" "$after"
	[[ $(grep -c installed <<<"$before") == $(grep -c "wireguard-rust/$newer.*installed" <<<"$after") ]]
	[[ $(wc -l <<<"$before") == $(wc -l <<<"$after") ]]
	takes Rust "$release"
	[[ $(on_machine bash -c 'echo /usr/src/wireguard-rust-*') == "/usr/src/wireguard-rust-$newer" ]]
}

# dkms_version: the one version there is.
dkms_version() {
	on_machine bash -c 'echo /usr/src/wireguard-rust-*' | sed 's/.*-//'
}

# skipped REASON SPOIL MEND COMMAND…: when the shell command SPOIL went before it, COMMAND, which
# makes DKMS build for the other kernel, succeeds without a module of ours, for this reason. After
# MEND it has one again.
skipped() {
	local reason=$1 spoil=$2 mend=$3 version
	shift 3
	version=$(dkms_version)
	on_machine dkms unbuild "wireguard-rust/$version" -k "$cloud"
	takes C "$cloud"
	on_machine bash -ec "cd /usr/src/wireguard-rust-$version; $spoil"
	wants "skipped for module(s) wireguard-rust" "$@"
	wants "the kernel's own C module stays in use" wants "error: $reason" \
		on_machine cat "/var/lib/dkms/wireguard-rust/$version/build/make.log"
	takes C "$cloud"
	on_machine bash -ec "cd /usr/src/wireguard-rust-$version; $mend"
	wants "succeeded for module(s) wireguard-rust" on_machine dkms autoinstall -k "$cloud"
	takes Rust "$cloud"
}

no_source() {
	skipped "the source of the kernel $cloud is missing here" \
		"mv /usr/src/linux-source-$series.tar.xz /root; mv $trees/$cloud /root" \
		"mv /root/linux-source-$series.tar.xz /usr/src; rm -rf $trees/$cloud; mv /root/$cloud $trees" \
		on_machine /etc/kernel/postinst.d/dkms "$cloud"
}

# A compiler's error must not leave a kernel's package half-configured.
no_build() {
	skipped "wireguard.ko does not build for the kernel $cloud" \
		"cp rust/driver/wireguard.rs /root; echo 'fn main() -> u8 {}' >>rust/driver/wireguard.rs" \
		"cp /root/wireguard.rs rust/driver" \
		apt install --reinstall "linux-image-$cloud"
	wants "ii  linux-image-$cloud" on_machine dpkg -l "linux-image-$cloud"
}

# says REASON PREPARATION: what the build for the first kernel says without a prepared tree.
says() {
	wants "$1" on_machine bash -ec "
		cp -r /usr/src/wireguard-rust-* /run/build
		cd /run/build
		export WG_DKMS_CACHE=/run/cache
		$2
		status=0
		tools/dkms/build.sh ${3:-$release} >/run/log || status=\$?
		tail -n 1 /run/log
		[[ \$status == 77 ]]"
}

reasons() {
	says "it refuses modules built by '$(on_machine rustc --version) of another day'" \
		"mkdir /run/bin; echo \"echo '$(on_machine rustc --version) of another day'\" >/run/bin/rustc; chmod +x /run/bin/rustc; PATH=/run/bin:\$PATH"
	says "apt install linux-source-$series=" \
		"printf '#!/bin/sh\n[ \"\$4\" = linux-source-$series ] && echo installed 1.2 || exec /usr/bin/dpkg-query \"\$@\"\n' >/run/dpkg-query
		chmod +x /run/dpkg-query; PATH=/run:\$PATH"
	says "apt install dwarves" "mv /usr/bin/pahole /root; trap 'mv /root/pahole /usr/bin' EXIT"
	says "the headers of the kernel 1.2.3 are missing here" "" 1.2.3
}

# As if DKMS had been killed between taking the file away and running depmod.
killed_remove() {
	on_machine dkms uninstall --no-depmod "wireguard-rust/$(dkms_version)" -k "$cloud"
	# modprobe would look for a file that is not there.
	wants "/updates/dkms/wireguard.ko" file_for "$cloud"
}

dkms_remove() {
	killed_remove
	on_machine make -C "$checkout" dkms-remove
	takes C "$release"
	takes C "$cloud"
	[[ ! $(on_machine dpkg --verify "linux-modules-$release" "linux-modules-$cloud") ]]
	wants "nothing left" on_machine bash -c \
		"find /usr/src/wireguard-rust-* /var/lib/dkms/wireguard-rust $trees /lib/modules/*/updates 2>/dev/null | grep . || echo nothing left"
}

test_dkms() {
	new_machine dkms
	unpack_checkout
	borrow_trees
	check "apt installs $release, headers and source" kernel_by_apt
	check "make dkms-install" dkms_install
	check "booted: ours" booted "" Rust
	check "apt installs $cloud: DKMS builds for it" another_kernel
	check "booted: ours there too" booted "/boot/vmlinuz-$cloud" Rust
	check "apt installs a kernel without Rust: skipped" kernel_without_rust
	keep_trees
	check "newer sources replace older ones" newer_sources
	check "no source package: skipped" no_source
	check "a build that fails: skipped, apt goes on" no_build
	check "each reason has its sentence" reasons
	check "make dkms-remove: the C module is back" dkms_remove
	check "booted: the C module" booted "" C
}
