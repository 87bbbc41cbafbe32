#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Makes out/deb/wireguard-rust-dkms_VERSION_all.deb, in a copy of the trixie root that has debhelper
# too, and has lintian look at it.
# usage: build.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/tools/dkms/sources.sh"

version=$(version)
machine=$WG_OUT/machines/deb
folder=$WG_OUT/deb
tree=$folder/wireguard-rust-$version

# debian_tools: into the copy. What was downloaded stays in the cache.
debian_tools() {
	mkdir -p "$machine" "$WG_CACHE/debs/partial"
	in_root -w "$machine" -b "$WG_CACHE/debs:/var/cache/apt/archives" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o APT::Sandbox::User=root -o DPkg::Use-Pty=0 -y --no-install-recommends \
		install debhelper dh-dkms lintian
}

# stage: the source of the package.
stage() {
	remove_tree "$folder"
	mkdir -p "$tree/src"
	# Debian has the text of the licence in one place.
	(cd "$WG_TOP" && sources | grep -vx COPYING | xargs cp --parents --target-directory "$tree/src")
	cp "$WG_TOP/tools/dkms/dkms.conf" "$tree/"
	mkdir "$tree/wgwhy"
	cp "$WG_TOP"/tools/wgwhy/*.py "$tree/wgwhy"
	rm "$tree"/wgwhy/test_*.py
	cp -r "$WG_TOP/docs" "$tree/documents"
	mkdir "$tree/bpftrace"
	cp "$WG_TOP"/tools/bpftrace/*.bt "$tree/bpftrace"
	cp -r "$WG_TOP/tools/deb/debian" "$tree/debian"
	cat >"$tree/debian/changelog" <<-END
		wireguard-rust ($version) unstable; urgency=medium

		  * See CHANGELOG.md.

		 -- $(sed -n 's/^Maintainer: //p' "$tree/debian/control")  $(date -u -R -d "@$(seconds)")
	END
}

package() {
	# -d: it compiles nothing, so that build-essential is not missed.
	in_root -w "$machine" env --chdir="$tree" SOURCE_DATE_EPOCH="$(seconds)" dpkg-buildpackage -d -b -us -uc
}

# examine: all that lintian has to say, except what is only for Debian's own archive.
examine() {
	in_root -w "$machine" lintian --fail-on error,warning,info --display-info --allow-root \
		--suppress-tags initial-upload-closes-no-bugs "$folder/wireguard-rust-dkms_${version}_all.deb"
}

step "debhelper, dh-dkms, lintian" "$WG_OUT/log/deb-tools.log" debian_tools
stage
step "wireguard-rust-dkms $version" "$WG_OUT/log/deb.log" package
step "lintian" "$WG_OUT/log/lintian.log" examine
remove_tree "$machine"
echo "$folder/wireguard-rust-dkms_${version}_all.deb"
