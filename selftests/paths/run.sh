#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: icount
# Runs in the guest: entries of the matrix, each with ours and with the C driver, in turns.
# usage: run.sh NAME…
#        run.sh --turn NAME DRIVER SEED    one turn, in a mount and process namespace of its own
#
# WG_RESULTS gets a line "begin NAME" and one "end NAME STATUS" per entry; WG_PATHS_FIGURES a line
# "NAME DRIVER SEED KEY=VALUE…" per turn, which judge.py compares. WG_PATHS_PROGRAMS is the folder
# that build.sh has made.
# Both drivers are loaded all the time.

WG_PATHS_TRAFFIC=$WG_PATHS_PROGRAMS/traffic
# shellcheck disable=SC2034 # for entries
WG_PATHS_BPF=$WG_PATHS_PROGRAMS/programs.o
folder=$(dirname "$(readlink -f "$0")")
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"
# shellcheck source=/dev/null
for file in "$folder"/entries/*.sh; do . "$file"; done
if [[ ${WG_PATHS_MODE:-icount} != icount && $never_idle ]]; then
	kill -KILL "$never_idle"
	never_idle=
fi

# says NAME KEY: what the entry's line says of it.
says() {
	sed -n "s/^# entry: $1 .*\b$2=\([^ :]*\).*/\1/p" "$folder"/entries/*.sh
}

# buffers: how many there are of those that packets lie in.
buffers() {
	awk '$1 == "skbuff_head_cache" { print $2 }' /proc/slabinfo
}

# turn NAME DRIVER SEED: prints its figures.
turn() {
	local words number=0 line
	local ns
	# shellcheck disable=SC2034 # for ../lib.sh and entries
	for ns in a b c m s; do kind[$ns]=$2; done
	# shellcheck disable=SC2034
	seed=$3
	"path_${1//-/_}" >&2
	if [[ ! ${no_ends:-} ]]; then ends; fi
	$inside >&2
	# A handshake that is lost is begun again after five seconds.
	eventually 20 answers "$source" "${asked:-$towards}" || fail "no answer through the tunnel"
	$late
	((${#traffic[@]})) || traffic=("${default_traffic[@]}")
	for words in "${traffic[@]}"; do
		read -ra words <<<"$words"
		[[ ${words[0]} != datagrams || ! $watched ]] || words+=("watch=$watched" "frame=$frame")
		line=$(WG_NEVER_IDLE=$never_idle "$WG_PATHS_TRAFFIC" "${words[0]}" "$source" "$target" "$towards" "${words[@]:1}" 2>&1) || {
			line="status $?, $line"
			[[ ! $never_idle ]] || kill -CONT "$never_idle"
			fail "${words[*]}: $line"
		}
		# The second one of a kind has names of its own.
		if ((number++)); then
			line=$(sed -E "s/\b(tcp|udp|echo|connections)_/\1${number}_/g" <<<"$line")
		fi
		printf '%s ' "$line"
	done
	[[ ! $afterwards ]] || $afterwards
}

if [[ ${1:-} == --turn ]]; then
	turn "$2" "$3" "$4"
	exit
fi

# entry NAME
entry() {
	local name=$1 seeds seed driver line before
	seeds=$(says "$name" seeds)
	for ((seed = 1; seed <= ${seeds:-1}; seed++)); do
		for driver in wireguarc wireguard; do
			mark_log "$name $driver"
			before=$(buffers)
			# The turn has a process of its own that is never idle.
			line=$(idling unshare --mount --pid --fork --kill-child --mount-proc bash -c \
				'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec bash "$@"' - "$folder/run.sh" \
				--turn "$name" "$driver" "$seed" 2>"$work/error") || {
				line="failed=$(tail -n 3 "$work/error" | tr -cs '[:alnum:].:/%=-' '_')"
				cat "$work/error"
			}
			# What the namespaces leave behind is not the next turn's work.
			pass 0.5
			line+=" kept=$(($(buffers) - before))"
			(check_clean_log) || line+=" log=1"
			echo "$name $driver $seed ${line//$'\n'/ }" >>"$WG_PATHS_FIGURES"
		done
	done
}

sysctl -qw net.core.rmem_max=8388608
mark_log paths
"$WG_TOP/tools/load.sh"
load_c_module
echo 'module wireguarc -p' >/proc/dynamic_debug/control
# What a turn does without a process that is never idle must not need a file (see ../lib.sh).
cat "$WG_PATHS_TRAFFIC" /usr/lib/x86_64-linux-gnu/{libc.so.6,ld-linux-x86-64.so.2} >/dev/null
for name; do
	echo "begin $name" >>"$WG_RESULTS"
	entry "$name"
	echo "end $name 0" >>"$WG_RESULTS"
done
eventually 20 rmmod wireguard || fail "the module cannot be removed"
eventually 20 rmmod wireguarc || fail "the module wireguarc cannot be removed"
