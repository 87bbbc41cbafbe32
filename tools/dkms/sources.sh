# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What DKMS and a kernel tree get, from this checkout or in a package; after tools/lib.sh.

set -e

# sources: what the build takes, from the top of the checkout.
sources() {
	local parts=(COPYING Kbuild rust tools/dkms/build.sh tools/setup/prepare-kernel.sh)
	cd "$WG_TOP"
	git ls-files -- "${parts[@]}" 2>/dev/null | grep . ||
		find "${parts[@]}" -type f ! -name '*_generated.rs' ! -name '.*' -regextype egrep \
			-regex '.*(\.(rs|c|h|mk|sh)|/bindgen_parameters|/VERSION|/Kconfig)|Kbuild|COPYING'
}

# seconds: the time of the last commit, or of the newest file where git does not know.
seconds() {
	# For tests, which need a later one.
	[[ ! ${WG_DEB_TIME:-} ]] || { date -u -d "$WG_DEB_TIME" +%s; return; }
	git -C "$WG_TOP" log -1 --format=%ct 2>/dev/null ||
		(cd "$WG_TOP" && sources | xargs stat -c %Y | sort -n | tail -n 1)
}

# version: that of a release as it is. What comes before has its time behind it: later is greater,
# and less than the release.
version() {
	local version
	version=$(cat "$WG_TOP/rust/VERSION")
	if git -C "$WG_TOP" describe --exact-match --match "v$version" >/dev/null 2>&1; then
		echo "$version"
	else
		echo "$version~$(date -u -d "@$(seconds)" +%Y%m%d.%H%M)"
	fi
}
