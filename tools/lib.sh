# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What all host-side scripts share: paths, messages, timed steps, the way into the trixie root.

set -euo pipefail

# A make above us would hand its own flags and job server down to the kernel's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

WG_TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
WG_CACHE=${WG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wireguard-rust}
# The kernel to build for, where that is not the main one; "make ARCH=arm64" means the lane of that
# architecture.
LANE=${LANE:-}
if [[ ! $LANE && ! ${KDIR:-} ]]; then
	case ${ARCH:-} in
	arm64) LANE=arm64 ;;
	arm) LANE=armhf ;;
	loongarch) LANE=loong64 ;;
	'' | x86 | x86_64) ;;
	*) LANE=none ;;
	esac
fi
KERNEL_SERIES=${KERNEL_SERIES:-7.3}
# The oldest one whose Rust crates have what ours need.
WG_OLDEST_SERIES=7.2
# A lane keeps to itself what is built and logged for it.
WG_OUT=$WG_TOP/out${LANE:+/lanes/$LANE}
WG_JOBS=$(nproc)
export WG_TOP WG_CACHE LANE KERNEL_SERIES WG_OUT WG_JOBS

# Ends the script with one sentence.
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

[[ $WG_CACHE == /* ]] || die "WG_CACHE must be an absolute path, not '$WG_CACHE'"
case ${WG_MODULE:-ours} in
ours | c) ;;
*) die "WG_MODULE is 'ours' or 'c' (the C module), not '$WG_MODULE'" ;;
esac
[[ ! ${MODULE:-} ]] || die "MODULE=$MODULE means nothing; WG_MODULE=c takes the C module"

# unavailable TEXT: ends the script with one sentence that says why something cannot be had; status
# 4 as selftests of the kernel have it.
unavailable() {
	mkdir -p "$WG_OUT/log"
	printf '%s\n' "$*" | tee "$WG_OUT/log/skip"
	exit 4
}

# step TEXT LOG COMMAND…: one progress line with its time; the log's tail where the command fails.
step() {
	local text=$1 log=$2 begin end status=0
	shift 2
	mkdir -p "$(dirname "$log")"
	printf '%-60s' "$text"
	begin=$(date +%s%N)
	("$@") >"$log" 2>&1 </dev/null || status=$?
	end=$(date +%s%N)
	local tenths=$(((end - begin) / 100000000))
	if ((status == 130)); then
		printf '%5d.%d s  interrupted\n' $((tenths / 10)) $((tenths % 10))
		exit 130
	fi
	if ((status == 0)); then
		printf '%5d.%d s\n' $((tenths / 10)) $((tenths % 10))
		return 0
	fi
	printf '%5d.%d s  FAILED\n' $((tenths / 10)) $((tenths % 10))
	printf -- '--- end of %s\n' "$log"
	tail -n 30 "$log"
	printf -- '---\n'
	return "$status"
}

# Removes a folder of ours, but never through a mount.
remove_tree() {
	local path
	for path; do
		[[ -e $path ]] || continue
		if grep -qF " $(readlink -f "$path")" /proc/self/mountinfo; then
			die "$path holds a mount, so it is not removed"
		fi
		rm -rf --one-file-system "$path"
	done
}

# The folder of the trixie root: its name tells what it was made from.
root_folder() {
	local key
	key=$(cat "$WG_TOP/tools/setup/packages" "$WG_TOP/tools/setup/root.sh" | sha256sum)
	printf '%s/root-%s\n' "$WG_CACHE" "${key:0:12}"
}

# lane_says FIELD: what tools/lanes/table says of the lane in $LANE, which names a kernel other than
# the main one; without a lane, of the main kernel.
lane_says() {
	awk -v lane="${LANE:-main}" -v field="$1" '
		$1 == "#lane" { for (i = 1; i <= NF; i++) if ($i == field) column = i }
		$1 == lane {
			printf "%s", $column
			if (field == "selftests")
				for (i = column + 1; i <= NF; i++) printf " %s", $i
			print ""
		}
	' "$WG_TOP/tools/lanes/table"
}

# refuse_settings: says in one sentence what is wrong with KERNEL_SERIES, LANE or ARCH.
refuse_settings() {
	local lanes
	lanes=$(awk '!/^#/ && $1 != "main" { print $1 }' "$WG_TOP/tools/lanes/table" | paste -sd ' ')
	[[ $LANE != none ]] || die "there is no lane for the architecture '$ARCH' (ARCH=arm64, arm or loongarch)"
	[[ ! $LANE || $(lane_says arch) ]] || die "there is no lane '$LANE'; there are: $lanes"
	[[ $KERNEL_SERIES =~ ^[0-9]+\.[0-9]+$ ]] || die "KERNEL_SERIES=$KERNEL_SERIES is no kernel series such as 7.3"
	[[ $(printf '%s\n' "$WG_OLDEST_SERIES" "$KERNEL_SERIES" | sort -V | head -n 1) == "$WG_OLDEST_SERIES" ]] ||
		die "KERNEL_SERIES=$KERNEL_SERIES is too old: this module needs $WG_OLDEST_SERIES or newer, as older ones lack Rust interfaces that it is built on"
}
refuse_settings
unset ARCH

# layer_folder NAME: a layer of packages (tools/lanes/packages) over the trixie root; "guest" is a
# root of its own.
layer_folder() {
	local key
	key=$({
		root_folder
		grep "^$1 " "$WG_TOP/tools/lanes/packages"
		[[ $1 != guest ]] || lane_says arch
	} | sha256sum)
	printf '%s/layer-%s-%s\n' "$WG_CACHE" "$1" "${key:0:12}"
}

# The file with the name of the kernel chosen for this series or lane. Checkouts whose scripts
# differ choose on their own.
kernel_choice() {
	local key
	key=$(cat "$WG_TOP"/tools/setup/{packages,root.sh,{,find-,fetch-,prepare-}kernel.sh} | sha256sum)
	printf '%s/series-%s-%s\n' "$WG_CACHE" "${LANE:-$KERNEL_SERIES}" "${key:0:8}"
}

# The folder of the prepared kernel.
kernel_folder() {
	local choice name
	choice=$(kernel_choice)
	[[ -f $choice ]] && read -r name <"$choice" || return 1
	printf '%s/%s\n' "$WG_CACHE" "$name"
}

# kernel_make_arguments TREE: what the kernel's make needs beside -C and M= for a module that fits
# this build folder:
# architecture and compiler are those of its configuration.
kernel_make_arguments() {
	local config=$1/include/config/auto.conf option arch machine prefix
	[[ -e $config ]] || config=$1/.config
	if grep -qx CONFIG_UML=y "$config"; then
		echo ARCH=um
	fi
	while read -r option arch machine prefix; do
		if grep -qx "CONFIG_$option=y" "$config" && [[ $(uname -m) != "$machine" ]]; then
			printf '%s\n' "ARCH=$arch" "CROSS_COMPILE=$prefix-"
		fi
	done <<-END
		ARM64 arm64 aarch64 aarch64-linux-gnu
		ARM arm armv7l arm-linux-gnueabihf
		LOONGARCH loongarch loongarch64 loongarch64-linux-gnu
	END
	if grep -qx CONFIG_CC_IS_CLANG=y "$config"; then
		echo LLVM=1
	else
		# Its version text begins with the name of the program.
		sed -nE "s/^CONFIG_CC_VERSION_TEXT=\"?([^ \"]+).*/CC=${CC:-\\1}/p" "$config"
	fi
}

# in_root [-w FOLDER[:LAYER]] [-b FOLDER[:PATH]]… [-v] COMMAND…: runs a command in the trixie root.
# The checkout and each FOLDER are seen there under the path they have outside, or PATH; -v adds the
# tree that a virtual machine boots from, at /.guest. With -w the root is a machine of its own: what
# LAYER has lies over it, and what is written goes to FOLDER.
#
# All mounts and processes live in namespaces of their own and end with the command, even when it is
# killed.
in_root() {
	local root
	root=$(root_folder)
	[[ -d $root ]] || die "the trixie root is missing; 'make setup' makes it"
	mkdir -p "$WG_OUT" "$WG_CACHE/cargo/home"
	if [[ $LANE && " $* " != *" -w "* && $(lane_says packages) != - ]]; then
		set -- -l "$(layer_folder "$(lane_says packages)")" "$@"
	fi
	setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child \
		"$WG_TOP/tools/vm/enter.sh" "$root" "$@"
}

# kernel_make KDIR FOLDER [ARGUMENTS…]: the kernel's make, in the root, for the module in FOLDER.
kernel_make() {
	local kdir=$1 folder=$2
	local -a arguments
	shift 2
	mapfile -t arguments < <(kernel_make_arguments "$kdir")
	in_root -b "$(dirname "$kdir")" make -j"$WG_JOBS" -C "$kdir" M="$folder" "${arguments[@]}" "$@"
}

# copy_sources FOLDER: the module's sources as they are in the checkout, or in the one that is
# called WG_SOURCE, for a build beside the one there. What was built in FOLDER before stays, and
# only files that differ are new for make, so that a second build is a quick one.
copy_sources() {
	local from=${WG_SOURCE:-$WG_TOP}
	mkdir -p "$1"
	in_root -b "$from" rsync -rlp --checksum --delete --exclude-from="$WG_TOP/.gitignore" "$from"/{Kbuild,rust} "$1/"
}

# Takes the lock NAME of the cache for the rest of the (sub)shell.
cache_lock() {
	mkdir -p "$WG_CACHE"
	exec {cache_lock_fd}>"$WG_CACHE/$1.lock"
	flock -n "$cache_lock_fd" || {
		printf 'waiting for another run that holds %s.lock\n' "$WG_CACHE/$1"
		flock "$cache_lock_fd"
	}
}

# traffic_program FILE: builds the program that makes traffic for the bench, and names it WG_LOAD.
traffic_program() {
	export WG_LOAD=$1
	in_root gcc -O2 -Wall -Wextra -Werror -o "$WG_LOAD" "$WG_TOP/tools/bench/c/load.c"
}

# selftest_names: the names of all, one a line. A test is a script selftests/FOLDER/NAME.sh with a
# line "# vm:" at its top.
selftest_names() {
	local file
	for file in "$WG_TOP"/selftests/*/*.sh; do
		! sed -n 1,10p "$file" | grep -q '^# vm: ' || basename "$file" .sh
	done | sort
}

# selftest_file NAME: the script of that selftest.
selftest_file() {
	compgen -G "$WG_TOP/selftests/*/$1.sh"
}

# selftest_says NAME KEY: what a selftest says of itself in a line "# KEY: …" at its top (see
# selftests/lib.sh).
selftest_says() {
	sed -n "1,10s/^# $2: *//p" "$(selftest_file "$1")"
}

# --- verdicts
#
# A runner counts in $passed, $failed and $skipped, and ends with "tally", whose line another runner
# adds up.

passed=0
failed=0
skipped=0

# add LOG: adds the sums that LOG has in lines of ours and of cargo.
add() {
	local p f s
	read -r p f s < <(awk '
		/^test result:/ { p += $4; f += $6; s += $8 }
		/^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3; s += $5 }
		END { print p + 0, f + 0, s + 0 }' "$1")
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
}

# tally: prints the sums; fails if anything failed.
tally() {
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0))
}

# excerpt LOG [LINES]: what went wrong: from the first line that says FAIL, else the end.
excerpt() {
	local lines=${2:-30}
	if grep -q '^FAIL' "$1"; then
		sed -n '/^FAIL/,$p' "$1" | grep -vE '^ *ok [0-9]' | head -n "$lines"
	else
		tail -n "$lines" "$1"
	fi
}
