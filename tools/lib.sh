# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What all host-side scripts share: paths, messages, timed steps, the way into the trixie root.

set -euo pipefail

# A make above us would hand its own flags and job server down to the kernel's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

WG_TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
WG_CACHE=${WG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wireguard-rust}
KERNEL_SERIES=${KERNEL_SERIES:-7.3}
WG_OUT=$WG_TOP/out
WG_JOBS=$(nproc)
export WG_TOP WG_CACHE KERNEL_SERIES WG_OUT WG_JOBS

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

# The file with the name of the kernel chosen for this series. Checkouts whose scripts differ choose on their own.
kernel_choice() {
	local key
	key=$(cat "$WG_TOP"/tools/setup/{packages,root.sh,{,find-,fetch-,prepare-}kernel.sh} | sha256sum)
	printf '%s/series-%s-%s\n' "$WG_CACHE" "$KERNEL_SERIES" "${key:0:8}"
}

# The folder of the prepared kernel.
kernel_folder() {
	local choice name
	choice=$(kernel_choice)
	[[ -f $choice ]] && read -r name <"$choice" || return 1
	printf '%s/%s\n' "$WG_CACHE" "$name"
}

# kernel_make_arguments TREE: what the kernel's make needs beside -C and M= for a module that fits this build folder.
kernel_make_arguments() {
	local config=$1/include/config/auto.conf
	if grep -qx CONFIG_UML=y "$config"; then
		echo ARCH=um
	fi
	if grep -qx CONFIG_CC_IS_CLANG=y "$config"; then
		echo LLVM=1
	fi
}

# in_root [-w FOLDER[:LAYER]] [-b FOLDER[:PATH]]… [-v] COMMAND…: runs a command in the trixie root. The checkout and
# each FOLDER are seen there under the path they have outside, or PATH; -v adds the tree that a virtual machine boots
# from, at /.guest. With -w the root is a machine of its own: what LAYER has lies over it, and what is written goes to
# FOLDER.
#
# All mounts and processes live in namespaces of their own and end with the command, even when it is killed.
in_root() {
	local root
	root=$(root_folder)
	[[ -d $root ]] || die "the trixie root is missing; 'make setup' makes it"
	mkdir -p "$WG_OUT" "$WG_CACHE/cargo/home"
	setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child \
		"$WG_TOP/tools/enter.sh" "$root" "$@"
}

# kernel_make KDIR FOLDER [ARGUMENTS…]: the kernel's make, in the root, for the module in FOLDER.
kernel_make() {
	local kdir=$1 folder=$2
	local -a arguments
	shift 2
	mapfile -t arguments < <(kernel_make_arguments "$kdir")
	if [[ " ${arguments[*]} " != *" LLVM=1 "* ]]; then
		arguments+=(CC="${CC:-x86_64-linux-gnu-gcc-14}")
	fi
	in_root -b "$(dirname "$kdir")" make -j"$WG_JOBS" -C "$kdir" M="$folder" "${arguments[@]}" "$@"
}

# copy_sources FOLDER: the module's sources as they are in the checkout, or in the one that is called WG_SOURCE, for a
# build beside the one there. What was built in FOLDER before stays, and only files that differ are new for make, so that
# a second build is a quick one.
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

# selftest_names: the names of all, one a line. A test is a script selftests/FOLDER/NAME.sh with a line "# vm:" at its top.
selftest_names() {
	local file
	for file in "$WG_TOP"/selftests/{,*/}*.sh; do
		! sed -n 1,10p "$file" | grep -q '^# vm: ' || basename "$file" .sh
	done | sort
}

# selftest_file NAME: the script of that selftest.
selftest_file() {
	compgen -G "$WG_TOP/selftests/$1.sh" || compgen -G "$WG_TOP/selftests/*/$1.sh"
}

# selftest_says NAME KEY: what a selftest says of itself in a line "# KEY: …" at its top (see selftests/lib.sh).
selftest_says() {
	sed -n "1,10s/^# $2: *//p" "$(selftest_file "$1")"
}

# --- verdicts
#
# A runner counts in $passed, $failed and $skipped, and ends with "tally", whose line another runner adds up.

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
