#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Brings the cache to what the other scripts need: the trixie root and a prepared kernel tree.
# Quick when both are there; a half-made one was never renamed to its place and is made again.
# usage: setup.sh [--update]   (--update: ask the archive for a newer kernel now, not once a day)

set -euo pipefail
. "$(dirname "$0")/lib.sh"

[[ ${1:---update} == --update ]] || die "unknown word '$1' (--update)"
update=${1:-}
log=$WG_OUT/log
root=$(root_folder)

install_mmdebstrap() {
	export DEBIAN_FRONTEND=noninteractive
	[[ $(apt-cache policy mmdebstrap 2>/dev/null) == *Candidate:\ [0-9]* ]] || apt-get update
	apt-get install -y --no-install-recommends mmdebstrap
}

# With some kernel in the cache one can work without the network.
if [[ ! -d $root ]] || ! compgen -G "$WG_CACHE/kernel-*/vmlinuz" >/dev/null; then
	"$WG_TOP/tools/setup/preflight.sh"
fi
cache_lock setup
if [[ ! -d $root ]]; then
	command -v mmdebstrap >/dev/null ||
		step "mmdebstrap on this machine" "$log/mmdebstrap.log" install_mmdebstrap
	step "trixie root: compiler, QEMU, tools (some minutes)" "$log/root.log" "$WG_TOP/tools/setup/root.sh" "$root"
fi
if [[ ! $LANE ]]; then
	"$WG_TOP/tools/setup/kernel.sh" "$update"
	"$WG_TOP/tools/setup/prune.sh"
	exit
fi

# A lane may take a while, which work with the main kernel need not wait for.
exec {cache_lock_fd}>&-
cache_lock "lane-$LANE"
packages=$(lane_says packages)
[[ $packages == - ]] || "$WG_TOP/tools/lanes/layer.sh" "$packages"
if [[ $(lane_says arch) != amd64 && $(lane_says selftests) != - ]]; then
	"$WG_TOP/tools/lanes/layer.sh" guest
fi
"$WG_TOP/tools/setup/kernel.sh" "$update"
# What is in use is not pruned.
touch "$(kernel_folder)/.used"
