#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Makes the trixie root: compiler, QEMU and test tools, as Debian packages them.
# usage: root.sh FOLDER

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

folder=$1
fresh=$folder.new
mirror=$("$WG_TOP/tools/setup/mirror.sh")
packages=$(grep -Ev '^(#|$)' "$WG_TOP/tools/setup/packages" | paste -sd,)

# What apt on this machine needs to reach the archive, its mmdebstrap needs too.
apt_options=()
while IFS= read -r line; do
	apt_options+=("--aptopt=${line%;}")
done < <(apt-config dump | grep -E '^Acquire::(http|https)::(Proxy|CAInfo|Verify-Peer)\b' || true)

# The backports lie where trixie itself comes from, be that the mirror named here or mmdebstrap's default.
# shellcheck disable=SC2016 # the shell of the hook expands it
backports='set -- "$1/etc/apt/sources.list"
awk '\''$1 == "deb" && /^deb .* trixie / { sub(/ trixie .*/, " trixie-backports main"); print; exit }'\'' "$1" >"$1.new"
cat "$1.new" >>"$1"; rm "$1.new"'

remove_tree "$fresh"
# mmdebstrap's own mounts live in this namespace and end with it.
unshare --mount --pid --fork --kill-child mmdebstrap --mode=root --variant=apt --components=main \
	"${apt_options[@]}" --setup-hook="$backports" \
	--include="$packages" trixie "$fresh" ${mirror:+"$mirror"}

# mmdebstrap with a mirror of its own choice adds the security suite itself; either way the lists stay for
# the search for kernels. Mount points of in_root:
mkdir -p "$fresh/usr/lib/modules"
touch "$fresh/etc/resolv.conf"
remove_tree "$folder"
mv "$fresh" "$folder"
