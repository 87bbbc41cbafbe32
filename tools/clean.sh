#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Removes what was built in the checkout; with --cache also the root, the kernels and cargo's files.
# usage: clean.sh [--cache]

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Kbuild knows best what it made, as long as there is one to ask.
if [[ ${KDIR:-} ]] || [[ -d $(root_folder) && -d $(kernel_folder || true) ]]; then
	"$WG_TOP/tools/build.sh" clean
fi
remove_tree "$WG_OUT" "$WG_TOP/doc"
rm -f "$WG_TOP/rust-project.json"
# What Kbuild does not know: stamps of the documentation, and what a build left that was
# interrupted.
find "$WG_TOP/rust" \( -name '.doc.stamp' -o -name 'rmeta*' \) -prune -exec rm -rf {} +

if [[ ${1:-} == --cache ]]; then
	cache_lock setup
	# Only what is known to be ours: the variable may point anywhere.
	remove_tree "$WG_CACHE"/{root,kernel,debug,lane,layer,apt}-* "$WG_CACHE"/{cargo,debs,dkms,.layered}
	rm -f "$WG_CACHE"/series-* "$WG_CACHE"/*.lock
	rmdir --ignore-fail-on-non-empty "$WG_CACHE"
fi
