#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in two guests on one wire (tools/test/two-vms.sh): in "ours" our module and the test, in
# "theirs" the C module and a server that runs the test's commands there.
# usage: two-machines.sh ours | theirs | serve
#
# The test is the one for any other implementation (selftests/lib/foreign.sh): its namespace
# "theirs" lies in the other machine. What the test captures runs on a VLAN of the wire, and its
# commands beside that.

server=10.99.0.2
commands=7000

# serve: one command: a connection brings a line of shell, and gets the output, then the status.
if [[ $1 == serve ]]; then
	read -r line
	eval "$line"
	printf '\nstatus %s\n' $?
	exit
fi

. "$WG_TOP/selftests/lib/foreign.sh"
side=$1

# wire NUMBER: this machine's end of it.
wire() {
	modprobe -a virtio_net 8021q
	eventually 20 test -e /sys/class/net/eth0 || fail "there is no wire"
	# Whether the time is right here is the first question when something was late.
	echo "clock: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource), $(dmesg | grep -c 'tsc: .*calibrat') complaints"
	ip addr add "10.99.0.$1/24" dev eth0
	ip link set eth0 up
}

# is_module WANTED: "O" for the one from outside the kernel's own tree, nothing for C.
is_module() {
	[[ $(tr -dc O </sys/module/wireguard/taint) == "$1" ]] || fail "$side: the other module is loaded"
}

# finish NS: takes everything down, and looks at what is left.
finish() {
	command ip netns del "$1"
	eventually 20 rmmod wireguard || fail "the module cannot be removed"
	kernel_log >"$WG_OUT/vm/two-$side/kernel.log"
	check_clean_log
	check_balance all
}

if [[ $side == theirs ]]; then
	mark_log "two machines, theirs"
	wire 2
	WG_MODULE=c load_module
	is_module ""
	mkfifo /run/end
	ncat --listen --keep-open --sh-exec "exec bash '$0' serve" "$server" "$commands" &
	read -r word </run/end
	kill $!
	kernel_log >"$WG_OUT/vm/two-$side/kernel.log"
	[[ $word == passed ]] || fail "the test ended with status $word"
	finish theirs
	exit
fi

# there COMMAND…: runs it in the other machine, with the input from here.
there() {
	local answer output
	# ncat would end the command there as soon as nothing more comes from here.
	answer=$({ printf '%q ' "$@" && printf '<<<%q\n' "$(cat)"; } | ncat --no-shutdown "$server" "$commands") || true
	[[ $answer == *$'\nstatus '* ]] || fail "no answer to: $*"
	output=${answer%$'\nstatus '*}
	[[ ! $output ]] || printf '%s\n' "${output%$'\n'}"
	return "${answer##*$'\nstatus '}"
}

reachable() {
	(there true) 2>/dev/null
}

# ip: in the other machine where it is about the namespace that lies there.
ip() {
	case "$1 ${2:-} ${3:-}" in
	"-n theirs "* | "netns "*" theirs") there ip "$@" ;;
	*) command ip "$@" ;;
	esac
}

joined() {
	local ns number=1 run=command
	for ns in ours theirs; do
		$run ip link add link eth0 name veth type vlan id 7
		namespace $ns
		$run ip link set veth netns $ns
		ip -n $ns addr add 10.0.0.$number/24 dev veth
		ip -n $ns addr add fd00::$number/64 dev veth nodad
		ip -n $ns link set veth up
		number=2
		run=there
	done
	eventually 60 answers ours 10.0.0.2 || fail "the wire does not carry anything"
	answers theirs fd00::1 || fail "the wire does not carry IPv6"
}

# ended: the other machine ends, too.
ended() {
	local status=$?
	kernel_log >"$WG_OUT/vm/two-$side/kernel.log"
	((status)) || status=passed
	there bash -c "echo $status >/run/end"
}

mark_log "two machines, ours"
wire 1
eventually 600 reachable || fail "the other machine does not answer"
trap ended EXIT
# shellcheck disable=SC2034 # for lib.sh: time is real here, and two machines share this one's processors
answer_within=$((10 * ${WG_PATIENCE:-1})) silence=3 racing=theirs
began=$EPOCHSECONDS
began_there=$(there date +%s)
foreign
is_module O
for file in "${!captures[@]}"; do captured "$file"; done
echo "seconds: $((EPOCHSECONDS - began)) here, $(($(there date +%s) - began_there)) there"
finish ours
