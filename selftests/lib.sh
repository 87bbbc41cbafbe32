# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What all selftests share. A test is a script selftests/NAME.sh that runs as root in a guest of its own kernel
# time; it begins with
#
#	# vm: icount        or smp (two CPUs); default smp
#	# limit: 60         seconds of wall clock; default 60
#
# and ends with status 0 when all was well. The runner gives each test its own process, mount and /run, takes the
# module out afterwards, and then looks at the kernel log itself (check_clean_log, check_balance), so that no
# test can forget to.

set -euo pipefail

WG_TOP=${WG_TOP:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)}

# fail TEXT: ends the test.
fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# refuses COMMAND…: the command must fail. Its message is kept in $message.
refuses() {
	# shellcheck disable=SC2034 # for the caller
	if message=$("$@" 2>&1); then
		fail "'$*' should have failed"
	fi
}

# eventually SECONDS COMMAND…: repeats the command until it succeeds.
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# --- the module

# load_module: with debug messages on; WG_MODULE=--stock takes the C module instead.
load_module() {
	"$WG_TOP/tools/load.sh" ${WG_MODULE:+"$WG_MODULE"}
	debug_messages
}

unload_module() {
	rmmod wireguard
}

# Switches the module's dynamic debug messages on.
debug_messages() {
	echo 'module wireguard +p' >/proc/dynamic_debug/control
}

# --- namespaces

# in_ns NAME COMMAND…
in_ns() {
	local name=$1
	shift
	ip netns exec "$name" "$@"
}

# namespace NAME: with its loopback up.
namespace() {
	ip netns add "$1"
	ip -n "$1" link set lo up
}

# joined A B [NET]: two namespaces and a veth pair between them, "veth" in both:
# A has 10.NET.0.1 and fd00:NET::1, B has 10.NET.0.2 and fd00:NET::2 (NET: 0 to 99, default 0).
joined() {
	local a=$1 b=$2 net=${3:-0} host
	namespace "$a"
	namespace "$b"
	ip link add veth netns "$a" type veth peer name veth netns "$b"
	for host in 1 2; do
		ip -n "$a" addr add "10.$net.0.$host/24" dev veth
		ip -n "$a" addr add "fd00:$net::$host/64" dev veth nodad
		ip -n "$a" link set veth up
		a=$b
	done
	# Without this the first packets meet neighbours still being resolved.
	in_ns "$b" ping -q -c 1 -W 5 "10.$net.0.1" >/dev/null
	in_ns "$b" ping -q -c 1 -W 5 "fd00:$net::1" >/dev/null
}

# --- kernel log

# Marks where this test's part of the kernel log begins.
mark_log() {
	echo "selftest: $1" >/dev/kmsg
}

# The kernel log since the last mark.
kernel_log() {
	dmesg | awk '/selftest: / { n = 0; delete line } { line[n++] = $0 } END { for (i = 0; i < n; i++) print line[i] }'
}

# check_clean_log: no complaint of the kernel since the mark.
check_clean_log() {
	local found
	found=$(kernel_log | grep -E 'BUG|WARNING|Oops|refcount_t|leaked|general protection|Call Trace|unable to handle|suspicious RCU|possible (recursive|circular) locking|INFO: (task|rcu)|self-detected stall|unregister_netdevice: waiting|Objects remaining|UBSAN|KASAN|kmemleak|DEBUG_LOCKS|scheduling while atomic|panicked at' || true)
	[[ ! $found ]] || fail "the kernel complains:"$'\n'"$found"
}

# objects: "CREATED DESTROYED THING" for each interface, peer and key pair that the debug messages tell of.
objects() {
	kernel_log | awk '
		match($0, /(created|destroyed)/) {
			verb = substr($0, RSTART, RLENGTH)
			if (!match($0, /(Interface|Peer [0-9]+|Keypair [0-9]+)/)) next
			thing = substr($0, RSTART, RLENGTH)
			# A line may end "Keypair 3 created for peer 1": the thing is what comes first.
			count[thing, verb]++
			seen[thing] = 1
		}
		END {
			for (thing in seen)
				print count[thing, "created"] + 0, count[thing, "destroyed"] + 0, thing
		}' | sort -k 3
}

# check_balance [none]: everything that was created was destroyed. With "none" it is fine if nothing was.
check_balance() {
	local list odd
	list=$(objects)
	[[ $list || ${1:-} == none ]] || fail "no object was created, or the debug messages are off"
	odd=$(awk 'NF && $1 != $2' <<<"$list")
	[[ ! $odd ]] || fail "created, destroyed, what:"$'\n'"$odd"
}

# created WORD: how many objects of this kind ("Interface", "Peer", "Keypair") were created since the mark.
created() {
	objects | awk -v kind="$1" '$3 == kind { n += $1 } END { print n + 0 }'
}
