#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Lists what changed between two kernel sources in the C driver and in the files whose behaviour
# this driver depends on, and what docs/follow.tsv says of each change: taken, not needed, or open.
# An open one is an error.
# usage: follow.sh [--show] OLD NEW    (--show: the changes themselves, of those too that are not open)
#        follow.sh --adopt OLD NEW     notes in docs/follow.tsv that NEW was followed, if no change is open
#        follow.sh --check             compares the prepared kernel with what was followed last
# OLD and NEW: a folder with a kernel source, or the version of a package linux-source, as in
# 7.3.4-1~bpo13+1; the prepared kernel and the archive are asked for that.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

program=$WG_TOP/tools/follow/follow.py

# source_of VERSION-OR-FOLDER: the folder; what comes from the archive stays in out/follow.
source_of() {
	local name=$1 series folder choice
	if [[ -d $name ]]; then
		echo "$name"
		return
	fi
	[[ $name =~ ^[0-9]+\.[0-9]+ ]] || die "$name is neither a folder nor the version of a package linux-source"
	series=${BASH_REMATCH[0]}
	for choice in "$WG_CACHE/kernel-${name//[^0-9A-Za-z.-]/_}"-*/tree; do
		[[ ! -d $choice || -d ${choice%/tree}.new ]] || { echo "$choice"; return; }
	done
	folder=$WG_OUT/follow/$name
	[[ -d $folder ]] || fetch "$series" "$name" "$folder" >&2
	echo "$folder"
}

# fetch SERIES VERSION FOLDER: what is followed, from the package.
fetch() {
	local files
	mapfile -t files < <("$program" --files | sed 's,^,linux-source-*/,')
	remove_tree "$3.new"
	mkdir -p "$3.new"
	# shellcheck disable=SC2016 # another shell expands it
	step "linux-source-$1 $2" "$WG_OUT/log/follow.log" in_root bash -euo pipefail -c '
		cd "$3"
		apt-get -q -o APT::Sandbox::User=root download "linux-source-$1=$2"
		dpkg --fsys-tarfile linux-source-*.deb | tar -xO "./usr/src/linux-source-$1.tar.xz" |
			tar -xJ --strip-components=1 --wildcards --no-wildcards-match-slash "${@:4}"
		rm linux-source-*.deb' - "$1" "$2" "$3.new" "${files[@]}" ||
		die "apt has no linux-source-$1=$2; give a folder with that source instead"
	mv "$3.new" "$3"
}

case ${1:-} in
--check)
	kernel=$(kernel_folder) || die "no kernel is prepared; 'make setup' does it"
	exec "$program" --check "$kernel/tree"
	;;
--adopt | --show) word=$1 && shift ;;
*) word= ;;
esac
(($# == 2)) || die "give two kernel sources, OLD and NEW (see the top of $0)"
old=$(source_of "$1")
new=$(source_of "$2")
if [[ $word == --adopt ]]; then
	[[ ! -d $2 ]] || die "--adopt needs NEW as a version, not as a folder"
	exec "$program" --adopt "$old" "$new" "$2"
fi
exec "$program" ${word:+"$word"} "$old" "$new"
