#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Chooses a kernel of KERNEL_SERIES, or that of the lane in LANE, and brings it into the cache: Debian's binary, and a
# source tree prepared so that modules built against it load into that binary. kernel_choice of lib.sh names the file
# that keeps the choice.
# usage: kernel.sh [--update]

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/archive.sh"

log=$WG_OUT/log
mkdir -p "$log"
choice=$(kernel_choice)

# Once a day is enough to learn of a new patch version.
fresh() {
	[[ -d $(kernel_folder || true) && $(find "$choice" -mmin -1440 2>/dev/null) ]]
}

choose() {
	echo "$1" >"$choice.new"
	mv "$choice.new" "$choice"
}

# of_lane [OPTIONS OF in_root] COMMAND…: with the packages of the lane's architecture and suite.
of_lane() {
	archive "$(lane_says arch)" "$(lane_says suite)" "$@"
}

# newest SERIES: "VERSION ABI" of the newest kernel of the series that the archive has, if any.
newest() {
	of_lane "$WG_TOP/tools/setup/find-kernel.sh" "$1" "$(lane_says flavour)"
}

# cached SERIES: folder name of a kernel made earlier, one that passed the tests before any other.
cached() {
	local mark file prefix=kernel-$1
	[[ ! $LANE ]] || prefix=lane-$LANE
	for mark in tested vmlinuz; do
		file=$(find "$WG_CACHE" -mindepth 2 -maxdepth 2 -path "$WG_CACHE/${prefix}[.-]*/$mark" \
			! -path '*.new/*' -printf '%T@ %h\n' | sort -n | tail -n 1)
		[[ $file ]] && basename "${file#* }" && return
	done
	return 0
}

# folder_of VERSION ABI: keyed by all that shapes the result.
folder_of() {
	local key
	key=$({
		echo "$1 $2"
		cat "$WG_TOP"/tools/setup/{fetch,prepare}-kernel.sh
		in_root sh -c 'rustc --version; bindgen --version; gcc-14 --version'
	} 2>&1 | sha256sum)
	printf '%s-%s-%s\n' "${LANE:+lane-}${LANE:-kernel}" "${1//[^0-9A-Za-z.-]/_}" "${key:0:8}"
}

# bring VERSION ABI: unless it is there already.
bring() {
	local name folder
	name=$(folder_of "$1" "$2")
	folder=$WG_CACHE/$name
	if [[ ! -d $folder ]]; then
		remove_tree "$folder.new"
		mkdir -p "$folder.new"
		step "kernel $1: packages" "$log/kernel-fetch.log" \
			of_lane -b "$folder.new" "$WG_TOP/tools/setup/fetch-kernel.sh" "$1" "$2" "$folder.new"
		mapfile -t arguments < <(kernel_make_arguments "$folder.new/stock/usr/src/linux-headers-$2")
		# Unstable's C compiler is newer than the root's, which does for a kernel that is only compiled for.
		[[ $(lane_says suite) == trixie-backports ]] || arguments=("${arguments[@]/%-gcc-*/-gcc-14}")
		# Prepared under its final path, which some generated files remember. The lane's arguments of make come after
		# those of the script, which are for this machine's architecture.
		# shellcheck disable=SC2016 # the inner shell expands it
		step "kernel $1: prepared tree" "$log/kernel-prepare.log" \
			in_root -b "$folder.new:$folder" bash -c "make() { command make \"\$@\" ${arguments[*]@Q}; }; export -f make"'
				"$@"' - "$WG_TOP/tools/setup/prepare-kernel.sh" "$folder"
		mv "$folder.new" "$folder"
	fi
	if [[ $update ]]; then
		if [[ $name == "$(basename "$(kernel_folder || true)")" ]]; then
			echo "kernel $1 is the newest one of series $KERNEL_SERIES"
		else
			echo "from now on: kernel $1; docs/lanes.md has the last one that passed the tests"
		fi
	fi
	choose "$name"
}

update=${1:-}
[[ ! $update ]] && fresh && exit 0
[[ ! $LANE ]] || KERNEL_SERIES=$(lane_says series)

if ! of_lane apt-get -q -o Acquire::Retries=2 -o APT::Update::Error-Mode=any update >"$log/archive.log" 2>&1; then
	name=$(cached "$KERNEL_SERIES")
	[[ $name || ! $LANE ]] ||
		unavailable "the archive's lists for $(lane_says arch), $(lane_says suite) cannot be had: $(grep -m 1 '^E: ' "$log/archive.log" || true)"
	[[ $name ]] || die "the Debian archive does not answer, and no kernel $KERNEL_SERIES is in the cache (see $log/archive.log)"
	echo "note: the Debian archive does not answer; the cached $name is used"
	choose "$name"
	exit 0
fi

read -r version abi < <(newest "$KERNEL_SERIES") || true
if [[ ${abi:-} ]]; then
	bring "$version" "$abi"
	exit 0
fi

name=$(cached "$KERNEL_SERIES")
if [[ $name ]]; then
	echo "note: the archive no longer carries kernel $KERNEL_SERIES; the cached $name is used"
	choose "$name"
	exit 0
fi

[[ ! $LANE ]] || unavailable "the archive has no kernel $KERNEL_SERIES for the lane $LANE ($(lane_says flavour))"
while read -r series; do
	read -r version abi < <(newest "$series") || true
	if [[ ${abi:-} ]]; then
		echo "note: the archive does not carry kernel $KERNEL_SERIES; the newest tested series it has is used: $version"
		bring "$version" "$abi"
		exit 0
	fi
done < <(grep -Ev '^(#|$)' "$WG_TOP/tools/setup/tested-kernels" | sort -rV)
die "the archive carries neither kernel $KERNEL_SERIES nor any series of tools/setup/tested-kernels"
