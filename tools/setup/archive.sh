# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Debian's archive for an architecture and a suite that need not be the root's own.

# archive ARCH SUITE [OPTIONS OF in_root] COMMAND…: in the root, where apt knows these packages; it
# can find and download them, not install.
archive() {
	local arch=$1 suite=$2 apt=$WG_CACHE/apt-$1-$2 options=()
	shift 2
	while [[ $1 == -b ]]; do
		options+=("$1" "$2")
		shift 2
	done
	if [[ $arch/$suite == amd64/trixie-backports ]]; then
		in_root "${options[@]}" "$@"
		return
	fi
	mkdir -p "$apt"/{lists,cache}/partial
	if [[ $suite == trixie-backports ]]; then
		grep '^deb ' "$(root_folder)/etc/apt/sources.list" >"$apt/sources.list"
	else
		sed -nE "s/^deb (.*) trixie-backports .*/deb \\1 $suite main/p" \
			"$(root_folder)/etc/apt/sources.list" >"$apt/sources.list"
	fi
	cat >"$apt/apt.conf" <<-END
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "root";
		Dir::State "$apt";
		Dir::State::status "/dev/null";
		Dir::Cache "$apt/cache";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
	END
	# A mirror may lag behind unstable for weeks. Its lists are signed all the same, and what was
	# the newest kernel then still tells more than none.
	[[ $suite == trixie-backports ]] || echo 'Acquire::Check-Valid-Until "false";' >>"$apt/apt.conf"
	in_root "${options[@]}" -b "$apt" env APT_CONFIG="$apt/apt.conf" "$@"
}
