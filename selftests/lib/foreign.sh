# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sessions between ours and another implementation: both as initiator, with and without a preshared
# key, across a rekey and after roaming. A test sets kind[theirs] (see lib.sh) and calls "foreign".
# With cannot_change_family=yes and a function stop the program is started again for IPv6 outside.

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# racing=NS: that side has several CPUs and arms the timer of its retry only when the initiation is
# gone, as the C module does. If the response is taken even before, there is another session after 5
# s.

declare -A inside4=([ours]=192.168.7.1 [theirs]=192.168.7.2) inside6=([ours]=fd77::1 [theirs]=fd77::2)
declare -A outside=([ours]=10.0.0.1:51821 [theirs]=10.0.0.2:51822)
declare -A other=([ours]=theirs [theirs]=ours)
psk=()

# restart: neither side has a session any more; both have the endpoints and the preshared key they
# should have.
restart() {
	local ns
	for ns in ours theirs; do peer $ns "${other[$ns]}" remove; done
	for ns in ours theirs; do know $ns; done
}

# know NS: adds the peer. Programs in user space cannot be relied on to change one.
know() {
	local there=${other[$1]}
	if ((${#psk[@]})); then
		peer "$1" "$there" preshared-key /dev/stdin endpoint "${outside[$there]}" \
			allowed-ips "${inside4[$there]}/32,${inside6[$there]}/128" <<<"${psk[0]}"
	else
		peer "$1" "$there" endpoint "${outside[$there]}" allowed-ips "${inside4[$there]}/32,${inside6[$there]}/128"
	fi
}

# by NS COUNT: COUNT initiations came from there since "fresh".
by() {
	pass 0.2
	eventually 3 sent "$1" "$2" || fail "$1 did not send $2 initiations: $(cat "$work/sent")"
}

# sent NS COUNT: it did; or more, where it is $racing and has made a session before.
sent() {
	local -A port=([ours]=51821 [theirs]=51822)
	local count
	count=$(grep -c "\.${port[$1]} >" "$work/sent") || true
	((count == $2)) || [[ ${racing:-} == "$1" && $2 -gt 1 && $count -gt $2 ]]
}

# both_ways NS TEXT: small and large, over IPv4 and IPv6, first from NS.
both_ways() {
	local there=${other[$1]}
	answers "$1" "${inside4[$there]}" || fail "$2, IPv4 inside"
	answers "$1" "${inside6[$there]}" -s 1372 || fail "$2, IPv6 inside"
	answers "$there" "${inside4[$1]}" -s 3000 || fail "$2, IPv4 the way back"
	answers "$there" "${inside6[$1]}" || fail "$2, IPv6 the way back"
}

# fresh NS: neither side has a session but the one that NS makes now, between the times $since and
# $made.
fresh() {
	restart
	: >"$work/sent"
	since=$EPOCHSECONDS
	both_ways "$1" "$1 as initiator"
	made=$((EPOCHSECONDS + 1))
	if [[ ${racing:-} == "$1" ]]; then
		pass 6
		sent "$1" 1 || { fresh "$1"; return; }
	fi
	# So that ours does not wait for an answer: boringtun, whose clock ticks every 250 ms, may
	# owe us its keepalive.
	pass 0.5
	datagram theirs "${inside4[ours]}"
	by "$1" 1
	by "${other[$1]}" 0
}

# pass_until TIME: lets time pass until TIME, in seconds since 1970.
pass_until() {
	while ((EPOCHSECONDS < $1)); do pass $(($1 - EPOCHSECONDS)); done
}

# endpoint NS ADDRESS:PORT: where NS thinks that the other one is.
endpoint() {
	located "$1" "${other[$1]}" "$2"
}

foreign() {
	local ns right since made
	load_module
	modprobe tun
	joined ours theirs
	device[theirs]=foreign
	tunnel ours theirs
	touch "$work/sent"
	capture ours veth "$work/all" "$initiation"
	# tcpdump writes where it likes; this copy can be emptied.
	tail -n +1 -f "$work/all" >>"$work/sent" &

	fresh ours
	fresh theirs

	# After 120 s the initiator makes a new session on sending; the old one carries the packets
	# meanwhile. Either sends more than once, as the clock of some ticks slowly.
	for ns in ours theirs; do
		fresh $ns
		pass_until $((since + 105))
		both_ways $ns "$ns before the rekey"
		by $ns 1
		((EPOCHSECONDS < since + 120)) || fail "this took too long to be before the rekey"
		pass_until $((made + 121))
		both_ways $ns "$ns at the time of the rekey"
		pass 0.5
		both_ways $ns "$ns in the new session"
		by $ns 2
		by "${other[$ns]}" 0
	done

	# With different preshared keys there is no session, with the same on both sides there is.
	psk=("$(wg genpsk)")
	restart
	right=${psk[0]}
	psk=("$(wg genpsk)")
	peer ours theirs remove
	know ours
	for ns in ours theirs; do
		unanswered $ns "${inside4[${other[$ns]}]}" || fail "$ns: a session in spite of different preshared keys"
	done
	psk=("$right")
	fresh theirs
	fresh ours

	# Either moves to another port and address; the other one follows.
	wg_in ours set wg0 listen-port 4001
	answers ours 192.168.7.2 || fail "ours from a new port"
	endpoint theirs 10.0.0.1:4001
	wg_in theirs set foreign listen-port 4002
	answers theirs 192.168.7.1 || fail "theirs from a new port"
	endpoint ours 10.0.0.2:4002
	ip -n ours addr del 10.0.0.1/24 dev veth
	ip -n ours addr add 10.0.0.11/24 dev veth
	answers ours 192.168.7.2 || fail "ours from a new address"
	endpoint theirs 10.0.0.11:4001
	ip -n theirs addr del 10.0.0.2/24 dev veth
	ip -n theirs addr add 10.0.0.12/24 dev veth
	answers theirs 192.168.7.1 || fail "theirs from a new address"
	endpoint ours 10.0.0.12:4002
	if [[ ${cannot_change_family:-} ]]; then
		stop
		ip -n theirs link del foreign 2>/dev/null || true
		interface theirs 2
		wg_in theirs set foreign listen-port 4002
		ip -n theirs link set foreign up
	else
		peer ours theirs endpoint '[fd00::2]:4002'
		answers ours fd77::2 || fail "ours in another family"
		endpoint theirs '[fd00::1]:4001'
		endpoint ours '[fd00::2]:4002'
		answers theirs fd77::1 || fail "theirs in another family"
	fi

	# Both still make sessions where they are now.
	outside=([ours]='[fd00::1]:4001' [theirs]='[fd00::2]:4002')
	for ns in ours theirs; do
		restart
		both_ways $ns "a new session after roaming"
	done
}
