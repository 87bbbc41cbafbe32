#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Says in one sentence why this machine will not do, before anything on it is changed.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

needed_gb=8

# shellcheck source=/dev/null
system=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-99}") || system=
read -r id version <<<"$system"
[[ $id == debian && ${version%%.*} -ge 12 ]] ||
	die "this needs Debian 12 or newer (here: ${system:-an unknown system}); elsewhere build with 'make KDIR=…'"
[[ $(uname -m) == x86_64 ]] || die "this needs an x86-64 machine (here: $(uname -m))"
[[ $(id -u) == 0 ]] || die "this needs root: it makes a Debian root folder and mounts; run it as root"
[[ $WG_TOP$WG_CACHE != *[[:space:]:,\'\"]* ]] ||
	die "the paths of the checkout and of the cache must be without spaces, quotes, colons and commas (kernel builds need that)"
unshare --mount true 2>/dev/null ||
	die "this needs the right to make mount namespaces, which this machine (a container?) refuses"

# Space: only what is still missing counts.
folder=$WG_CACHE
until [[ -d $folder ]]; do folder=$(dirname "$folder"); done
free_kb=$(df --output=avail -k "$folder" | tail -n 1)
used_kb=0
[[ -d $WG_CACHE ]] && used_kb=$(du -skx "$WG_CACHE" | cut -f 1)
(((free_kb + used_kb) / 1048576 >= needed_gb)) ||
	die "this needs $needed_gb GB of free space in $folder (here: $((free_kb / 1048576)) GB); WG_CACHE names another folder"

# Network: the archive's own index, fetched the way apt fetches.
mirror=$("$WG_TOP/tools/setup/mirror.sh")
if [[ $mirror ]]; then
	probe=$(mktemp)
	trap 'rm -f "$probe" "$probe".*' EXIT
	timeout 30 /usr/lib/apt/apt-helper -o Acquire::Retries=0 \
		download-file "${mirror%/}/dists/trixie/Release" "$probe" >/dev/null 2>&1 ||
		die "the Debian mirror of this machine's apt configuration does not answer; is there a network?"
fi
