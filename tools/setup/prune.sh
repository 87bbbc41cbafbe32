#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Removes from the cache what a killed run left half-made and what no run has used for two weeks.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

root=$(root_folder)
kernel=$(kernel_folder)
touch "$root/.used" "$kernel/.used"

for choice in "$WG_CACHE"/series-*; do
	[[ -d $WG_CACHE/$(cat "$choice") ]] || rm "$choice"
done

for folder in "$WG_CACHE"/{root,kernel,debug,lane,layer}-*; do
	[[ -d $folder && $folder != "$root" && $folder != "$kernel" ]] || continue
	# One that is half made may be in the making, by a holder of its lock.
	if [[ $folder == "$WG_CACHE"/@(debug|lane|layer)-*.new ]]; then
		[[ ! $(find "$folder" -maxdepth 0 -mtime +1) ]] || remove_tree "$folder"
	elif [[ $folder == *.new ]]; then
		remove_tree "$folder"
	elif [[ $folder == "$WG_CACHE"/root-* || ! -e $folder/tested ]] &&
		[[ ! $(find "$folder/.used" "$folder" -maxdepth 0 -mtime -14 2>/dev/null) ]]; then
		remove_tree "$folder"
	fi
done
