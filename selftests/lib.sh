# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What all selftests share. A test is a script selftests/FOLDER/NAME.sh that runs as root in a
# guest of its own kernel time; it begins with
#
#	# vm: icount        or smp (two CPUs), smp4 (four), unseeded (random numbers not ready),
#	#                   or debug (make test PART=debug only); default smp
#	# limit: 60         seconds of wall clock; default 60
#	# when: all         left out by "make test", but not by "make test PART=all"
#	# boot: own         not in a machine that has run other tests before
#	# words: WORD…      what the kernel's command line has, of a machine of its own
#	# needs: c-module   what the runner has to build first (see load_c_module), or
#	# needs: faults     a module with faults to switch on (tools/build/variant.sh; see use_variant), or
#	# needs: paths      what the matrix of paths sends with (paths/build.sh), or
#	# needs: boringtun  a NAME of tools/build/foreign.sh, or
#	# needs: clone      a module of the test's own, out of the folder selftests/clone
#	# log: REGEX        lines that may stand in the kernel's log, although they look like complaints
#
# and ends with status 0 when all was well, or with 4 after "skip". The runner gives each test its
# own process, mount and /run, takes the module out afterwards, and then looks at the kernel log
# itself (check_clean_log, check_balance), so that no test can forget to.

set -Eeuo pipefail

WG_TOP=${WG_TOP:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)}

# A folder for the test's files: /run is its own and begins empty. In /tmp there may be the
# checkout, under any name.
work=/run/work
mkdir -p "$work"

# Names of the subtests of this test so far, one a line: Python and the shell number theirs
# together.
export WG_KTAP=$work/.ktap

# Where Python finds the package wgtest. The checkout is read-only.
export PYTHONPATH=$WG_TOP/selftests/lib PYTHONDONTWRITEBYTECODE=1

# shellcheck source=selftests/lib/verdict.sh
. "$WG_TOP/selftests/lib/verdict.sh"

# debug_kernel: whether this kernel watches itself (make test PART=debug), which makes it some ten
# times slower. Tests that pile up work for every CPU have less to do then.
debug_kernel() {
	[[ -e /sys/kernel/debug/kmemleak || -e /proc/lockdep_stats ]]
}

# --- time
#
# A machine with "vm: icount" skips idle time. But waiting for a file from the host is idle time
# too, so the start of a program could take minutes. Hence one process there is never idle, except
# while a test lets time pass. On the debug kernels time is real, whatever a test says.

never_idle=
if ! debug_kernel && grep -qsE '^# (vm|guest): +icount' "$0"; then
	chrt --idle 0 bash -c 'while :; do :; done' &
	never_idle=$!
	# What runs in the background while time passes must not need a file then.
	cat /usr/bin/tcpdump /usr/lib/*-linux-gnu/lib{pcap,crypto}.so.* >/dev/null
fi
[[ -p /run/never ]] || mkfifo /run/never
exec {never}<>/run/never

# pass SECONDS: lets time pass, without any program.
pass() {
	[[ ! $never_idle ]] || kill -STOP "$never_idle"
	read -rt "$1" -u "$never" || true
	[[ ! $never_idle ]] || kill -CONT "$never_idle"
}

# idling COMMAND…: runs a command that lets time pass by itself.
idling() {
	local status=0
	[[ ! $never_idle ]] || kill -STOP "$never_idle"
	"$@" || status=$?
	[[ ! $never_idle ]] || kill -CONT "$never_idle"
	return "$status"
}

# eventually SECONDS COMMAND…: repeats the command until it succeeds. Where time is real, a slow
# machine gets more of it.
eventually() {
	local end=$((SECONDS + $1))
	[[ $never_idle ]] || end=$((SECONDS + $1 * ${WG_PATIENCE:-1}))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		pass 0.1
	done
}

# --- the module

# on_c: whether the C module is under test (WG_MODULE=c), which lacks our extras.
on_c() {
	[[ ${WG_MODULE:-} == c ]]
}

# use_variant NAME: load_module shall take the module that tools/build/variant.sh NAME has built.
use_variant() {
	export WG_KO=$WG_OUT/variants/$1/wireguard.ko
}

# load_module: with debug messages on.
load_module() {
	"$WG_TOP/tools/load.sh"
	debug_messages
}

# load_c_module: loads the C driver beside ours: its interfaces are of the kind "wireguarc", and the
# program for them is wgc (tools/build/c-module.sh). For tests that say "# needs: c-module".
load_c_module() {
	local module
	for module in $(modinfo -F depends "$WG_C_MODULE/wireguarc.ko" | tr , ' '); do
		modprobe "$module"
	done
	insmod "$WG_C_MODULE/wireguarc.ko"
	echo 'module wireguarc +p' >/proc/dynamic_debug/control
	PATH=$PATH:$WG_C_MODULE
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

# has_ipv6: whether this kernel has it. Without it, what follows has no addresses of it.
has_ipv6() {
	[[ -e /proc/net/if_inet6 ]]
}

# joined A B [NET [DEVICE]]: two namespaces, made if they are not there, and a veth pair between
# them: DEVICE (default "veth") in A has 10.NET.0.1 and fd00:NET::1, "veth" in B has 10.NET.0.2 and
# fd00:NET::2 (NET: 0 to 99, default 0).
joined() {
	local a=$1 b=$2 net=${3:-0} device=${4:-veth} ns host
	for ns in "$a" "$b"; do ip netns pids "$ns" >/dev/null 2>&1 || namespace "$ns"; done
	ip link add "$device" netns "$a" type veth peer name veth netns "$b"
	for host in 1 2; do
		ip -n "$a" addr add "10.$net.0.$host/24" dev "$device"
		! has_ipv6 || ip -n "$a" addr add "fd00:$net::$host/64" dev "$device" nodad
		ip -n "$a" link set "$device" up
		a=$b
		device=veth
	done
	# Without this the first packets meet neighbours still being resolved.
	in_ns "$b" ping -q -c 1 -W 5 "10.$net.0.1" >/dev/null
	! has_ipv6 || in_ns "$b" ping -q -c 1 -W 5 "fd00:$net::1" >/dev/null
}

# --- tunnels

declare -A private public

# kind[NS]=wireguarc before "interface" or "tunnel" gives that namespace the C driver (see
# load_c_module); another word is a function that starts a program in user space: it gets the
# namespace and the interface's name.
declare -A kind

# device[NS]=NAME: the interface's name there, if it is not wg0. All namespaces of a test share
# /run, where wg looks for programs in user space first, so the interface of such a program must not
# be called like another's.
declare -A device

# device_of NS
device_of() {
	echo "${device[$1]:-wg0}"
}

# wg_in NS ARGUMENTS…: the program wg of that driver.
wg_in() {
	local ns=$1 program=wg
	shift
	[[ ${kind[$ns]:-} != wireguarc ]] || program=wgc
	in_ns "$ns" "$program" "$@"
}

# keys NS: new ones, ${private[NS]} and ${public[NS]}.
keys() {
	private[$1]=$(wg genkey)
	public[$1]=$(wg pubkey <<<"${private[$1]}")
}

# interface NS NUMBER [NAME]: an interface (default ${device[NS]}, wg0) with keys of its own (see
# keys) that listens on port 51820 + NUMBER and has the addresses 192.168.7.NUMBER and fd77::NUMBER.
# It is not up yet.
interface() {
	local ns=$1 number=$2 name=${3:-$(device_of "$1")}
	keys "$ns"
	case ${kind[$ns]:-wireguard} in
	wireguar[cd]) ip -n "$ns" link add "$name" type "${kind[$ns]:-wireguard}" ;;
	*) "${kind[$ns]}" "$ns" "$name" ;;
	esac
	wg_in "$ns" set "$name" private-key /dev/stdin listen-port $((51820 + number)) <<<"${private[$ns]}"
	ip -n "$ns" addr add "192.168.7.$number/24" dev "$name"
	! has_ipv6 || ip -n "$ns" addr add "fd77::$number/64" dev "$name" nodad
}

# peer NS OTHER SETTINGS…: sets what NS knows of its peer OTHER.
peer() {
	local ns=$1 other=$2
	shift 2
	wg_in "$ns" set "$(device_of "$ns")" peer "${public[$other]}" "$@"
}

# tunnel A B [FAMILY]: interfaces number 1 in A and 2 in B, two joined namespaces. Each is the
# other's peer, over IPv4 (or 6) outside. Both are up; nothing was sent yet.
tunnel() {
	local a=$1 b=$2 family=${3:-4} ns six=
	local -A outside=([41]=10.0.0.1 [42]=10.0.0.2 [61]="[fd00:0::1]" [62]="[fd00:0::2]")
	interface "$a" 1
	interface "$b" 2
	! has_ipv6 || six=yes
	peer "$a" "$b" allowed-ips "192.168.7.2/32${six:+,fd77::2/128}" endpoint "${outside[${family}2]}:51822"
	peer "$b" "$a" allowed-ips "192.168.7.1/32${six:+,fd77::1/128}" endpoint "${outside[${family}1]}:51821"
	for ns in "$a" "$b"; do ip -n "$ns" link set "$(device_of "$ns")" up; done
}

# How long an answer may take, and how long none must have come. Tests in real time want more of
# both.
answer_within=1
silence=0.3

# answers NS ADDRESS [OPTIONS OF PING]: whether one ping (or what the options say) is answered
# within a second.
answers() {
	local ns=$1 address=$2
	shift 2
	if in_ns "$ns" ping -q -c 1 -W "$answer_within" "$@" "$address" >/dev/null; then
		last_miss=
	else
		last_miss="no answer within $answer_within s to 'ping ${*:+$* }$address' in $ns"
		return 1
	fi
}

# unanswered NS ADDRESS [OPTIONS OF PING]: whether it is not.
unanswered() {
	local ns=$1 address=$2
	shift 2
	! in_ns "$ns" ping -q -c 1 -W "$silence" "$@" "$address" >/dev/null 2>&1
}

# datagram NS ADDRESS: sends one UDP datagram: 29 bytes of IPv4 or 49 of IPv6, so 64 or 96 bytes
# through a tunnel. It goes to the port of the other end's WireGuard, which swallows it, so that
# there is no ICMP message either.
datagram() {
	# shellcheck disable=SC2016 # the inner shell expands it
	in_ns "$1" bash -c 'echo >"/dev/udp/$1/5182${1: -1}"' - "$2"
}

# shown NS WHAT OTHER: what "wg show INTERFACE WHAT" says about the peer OTHER of NS.
shown() {
	wg_in "$1" show "$(device_of "$1")" "$2" | awk -v key="${public[$3]}" '$1 == key { sub(/^[^\t]*\t/, ""); print }'
}

# received NS OTHER: bytes from its peer OTHER.
received() {
	shown "$1" transfer "$2" | cut -f 1
}

# is_at NS OTHER ADDRESS:PORT: whether NS has its peer OTHER there.
is_at() {
	[[ $(shown "$1" endpoints "$2") == "$3" ]]
}

# located NS OTHER ADDRESS:PORT [TEXT]: soon it must.
located() {
	eventually 3 is_at "$@" || fail "${4:+$4: }$1 has $2 at $(shown "$1" endpoints "$2"), not at $3"
}

# counted NS OTHER RX TX: whether NS received RX bytes from its peer OTHER, and sent it TX.
counted() {
	[[ $(shown "$1" transfer "$2") == "$3"$'\t'"$4" ]]
}

# statistic NS NAME: of the interface wg0, for example rx_bytes.
statistic() {
	in_ns "$1" cat "/sys/class/net/wg0/statistics/$2"
}

# --- TCP

# listens NS PORT [OPTION OF SS]: whether a socket listens there, on TCP or what the option says.
listens() {
	in_ns "$1" ss -Hln "${3:--t}" "sport = $2" | grep . >/dev/null
}

# snmp NS FIELD: what the namespace's stack has counted.
snmp() {
	# shellcheck disable=SC2016 # awk expands it
	in_ns "$1" cat /proc/net/snmp /proc/net/netstat | awk -v field="$2" '
		found { print $column; exit }
		{ for (column = 2; column <= NF && $column != field; column++); found = column <= NF }
	'
}

# carry FROM TO ADDRESS [BYTES [OPTIONS [OPTIONS]]]: what $work/sent holds goes over TCP and is all
# there in $work/arrived; BYTES are written at a time, with socat's options for the sender's and the
# receiver's socket.
carry() {
	local server port=7000
	in_ns "$2" socat -u "TCP-LISTEN:$port,reuseaddr${6:+,$6}" "CREATE:$work/arrived" &
	server=$!
	eventually 10 listens "$2" $port -t || fail "socat does not listen"
	in_ns "$1" socat -u -b "${4:-8192}" "OPEN:$work/sent" "TCP:$3:$port${5:+,$5}"
	wait "$server"
	cmp "$work/sent" "$work/arrived" || fail "something else arrived"
}

# iperf3_server NS [OPTIONS]: runs in the background from now on.
iperf3_server() {
	in_ns "$1" iperf3 --server --daemon "${@:2}"
	eventually 5 listens "$1" 5201 || fail "the iperf3 server does not start"
}

# --- packets

# BPF filters for the types of messages over IPv4.
# shellcheck disable=SC2034 # for tests
initiation='udp[8:4] = 0x01000000' response='udp[8:4] = 0x02000000' data='udp[8:4] = 0x04000000'

# capture NS INTERFACE FILE OPTIONS-AND-FILTER…: lines of tcpdump, with seconds since 1970, go to
# FILE from now on.
# ${captures[FILE]} is its process; with the option "-w -" packets go to FILE.
declare -A captures
capture() {
	local ns=$1 interface=$2 file=$3
	shift 3
	ip netns exec "$ns" tcpdump --immediate-mode -U -l -n -tt -i "$interface" "$@" >"$file" 2>"$file.err" &
	captures[$file]=$!
	eventually 10 grep -q 'listening on' "$file.err" || fail "tcpdump does not start: $(cat "$file.err")"
}

# captured FILE: ends the capture; afterwards FILE is complete.
captured() {
	kill "${captures[$1]}"
	wait "${captures[$1]}" || true
}

# lines FILE: how many there are; tcpdump ends with an empty one.
lines() {
	grep -c . "$1" || true
}

# has_packet FILE: whether the capture has more in it than its own header and those of a packet.
has_packet() {
	(($(stat -c %s "$1") > 24 + 16 + 14 + 20 + 8))
}

# withhold A B FILE FILTER COMMAND…: runs the command. The first packet that B then sends (see
# FILTER) is in FILE, for resend, and nothing comes in at A's port until "let_through A".
withhold() {
	local file=$3
	in_ns "$1" iptables -I INPUT -p udp --dport "$(wg_in "$1" show "$(device_of "$1")" listen-port)" -j DROP
	capture "$2" veth "$file" -w - "$4"
	"${@:5}"
	eventually 3 has_packet "$file" || fail "no packet was captured"
	captured "$file"
}

let_through() {
	in_ns "$1" iptables -D INPUT 1
}

# resend NS FILE ADDRESS PORT SOURCE-PORT: sends the UDP payload of the first packet in FILE, a
# capture of IPv4 over Ethernet, once more.
resend() {
	tail -c +$((24 + 16 + 14 + 20 + 8 + 1)) "$2" | in_ns "$1" ncat -u --send-only -p "$5" "$3" "$4"
}

# --- the kernel

# calls COUNT FUNCTION COMMAND…: the command, which must succeed, makes the kernel call that
# function COUNT times.
calls() {
	local count=$1 function=$2 tracing=/sys/kernel/tracing seen
	shift 2
	if debug_kernel && [[ ! -d /sys/kernel/debug/kprobes ]]; then
		"$@"
		return
	fi
	mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing"
	echo "p:counted $function" >"$tracing/kprobe_events"
	echo 1 >"$tracing/events/kprobes/counted/enable"
	"$@"
	seen=$(awk '$1 == "counted" { print $2 }' "$tracing/kprobe_profile")
	echo 0 >"$tracing/events/kprobes/counted/enable"
	echo >"$tracing/kprobe_events"
	[[ $seen == "$count" ]] || fail "'$*' calls $function $seen times, not $count"
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

# log_times REGEX: when the kernel wrote the lines like this since the mark, in seconds, one a line.
# What has to happen at a certain time is measured by these: the programs that look for it need time
# themselves, seconds on a busy machine.
log_times() {
	kernel_log | awk -v like="$1" '$0 ~ like { sub(/^\[ */, ""); printf "%.3f\n", $0 + 0 }'
}

# within LEAST MOST FROM TO: whether at least LEAST and at most MOST seconds lie between the two
# times.
within() {
	awk -v least="$1" -v most="$2" -v from="$3" -v to="$4" 'BEGIN { exit !(to - from >= least && to - from <= most) }'
}

# check_clean_log: no complaint of the kernel since the mark, which is still there, lines like
# $WG_LOG_EXPECTED aside.
check_clean_log() {
	local found
	dmesg | grep 'selftest: ' >/dev/null || fail "the kernel's log has lost where this test began: it is too small"
	found=$(kernel_log | grep -vE "${WG_LOG_EXPECTED:-^$}" | grep -E 'BUG|WARNING|Oops|refcount_t|leaked|general protection|Call Trace|unable to handle|suspicious RCU|possible (recursive|circular) locking|INFO: (task|rcu)|self-detected stall|unregister_netdevice: waiting|Objects remaining|UBSAN|KASAN|kmemleak|DEBUG_LOCKS|scheduling while atomic|panicked at|ODEBUG|ref_tracker|still has objects' || true)
	[[ ! $found ]] || fail "the kernel complains:"$'\n'"$found"
}

# check_debug_kernel: what only a kernel built for debugging knows: no memory is lost, and its lock
# checks are still on.
check_debug_kernel() {
	local kmemleak=/sys/kernel/debug/kmemleak found
	if [[ -w $kmemleak ]]; then
		# It tells of nothing younger than five seconds, and of nothing that changed since
		# the last scan.
		pass 6
		echo scan >"$kmemleak"
		echo scan >"$kmemleak"
		found=$(cat "$kmemleak")
		echo clear >"$kmemleak"
		[[ ! $found ]] || fail "memory is lost:"$'\n'"$found"
	fi
	if [[ -e /proc/lockdep_stats ]]; then
		grep -qE '^ *debug_locks: +1$' /proc/lockdep_stats || fail "the kernel's lock checks switched themselves off"
	fi
}

# objects: "CREATED DESTROYED THING" for each interface, peer and key pair that the debug messages
# tell of.
objects() {
	kernel_log | awk '
		match($0, /(created|destroyed)/) {
			verb = substr($0, RSTART, RLENGTH)
			if (!match($0, /(Interface|Peer [0-9]+|Keypair [0-9]+)/)) next
			thing = substr($0, RSTART, RLENGTH)
			# A line may end "Keypair 3 created for peer 1": the thing is what comes
			# first.
			count[thing, verb]++
			seen[thing] = 1
		}
		END {
			for (thing in seen)
				print count[thing, "created"] + 0, count[thing, "destroyed"] + 0, thing
		}' | sort -k 3
}

# check_balance [all|none]: everything that was created was destroyed. With "none" it is fine if
# nothing was.
check_balance() {
	local list odd
	list=$(objects)
	[[ $list || ${1:-} == none ]] || fail "no object was created, or the debug messages are off"
	odd=$(awk 'NF && $1 != $2' <<<"$list")
	[[ ! $odd ]] || fail "created, destroyed, what:"$'\n'"$odd"
}

# created WORD: how many objects of this kind ("Interface", "Peer", "Keypair") were created since
# the mark.
created() {
	objects | awk -v kind="$1" '$3 == kind { n += $1 } END { print n + 0 }'
}
