#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Writes into docs/lanes.md what passed on the kernel of the lane in LANE, or on the main one. The
# main row is left alone when it names this kernel already: each "make test" would change it.
# usage: note.sh RESULT

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

file=$WG_TOP/docs/lanes.md
lane=${LANE:-main}
kernel=$(kernel_folder)
release=$(cat "$kernel/release")
compiler=$(sed -nE 's/^CONFIG_RUSTC_VERSION_TEXT="?rustc ([^ ]+).*/\1/p' "$kernel/tree/.config")
commit=$(git -C "$WG_TOP" rev-parse --short HEAD 2>/dev/null || echo unknown)
# A plus tells of changes that no commit has; a row that another lane has just written is none.
git -C "$WG_TOP" diff --quiet HEAD -- . ':!docs/lanes.md' 2>/dev/null || commit+=+

[[ $lane != main ]] || ! grep -qF "| main | amd64 | $release | $compiler |" "$file" || exit 0
awk -v lane="| $lane |" \
	-v row="| $lane | $(lane_says arch) | $release | $compiler | $commit | $(date +%F) | $1 |" '
	index($0, lane) == 1 { $0 = row; done = 1 }
	# A lane without a row gets the last one of this table; there are others in the file.
	table && !/^\|/ && !done { print row; done = 1 }
	{ table = /^\|/ && (table || /^\| lane \|/); print }
' "$file" >"$file.new"
mv "$file.new" "$file"
