#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# needs: c-module
# Sessions between ours and the C driver, in one kernel: both as initiator, with and without a preshared key, across a
# rekey and after roaming.

. "$(dirname "$0")/lib.sh"

# restart: neither side has a session any more.
restart() {
	local ns
	for ns in ours c; do ip -n $ns link set wg0 down; done
	for ns in ours c; do
		ip -n $ns link set wg0 up
		# A link that goes down loses its IPv6 addresses.
		ip -n $ns addr replace "${inside6[$ns]}/64" dev wg0 nodad
	done
}

# fresh NS: neither side has a session but the one that NS makes now.
fresh() {
	local other=ours
	[[ $1 == ours ]] && other=c
	restart
	: >/tmp/sent
	answers "$1" "${inside4[$other]}" || fail "$1 as initiator, IPv4 inside"
	answers "$1" "${inside6[$other]}" || fail "$1 as initiator, IPv6 inside"
	answers "$other" "${inside4[$1]}" || fail "$1 as initiator, the way back"
	by "$1" 1
	by "$other" 0
}

# by NS COUNT: so many initiations came from there since "fresh".
by() {
	local -A port=([ours]=51821 [c]=51822)
	local count
	pass 0.2
	count=$(grep -c "\.${port[$1]} >" /tmp/sent || true)
	[[ $count == "$2" ]] || fail "$1 sent $count initiations, not $2: $(cat /tmp/sent)"
}

# endpoint NS ADDRESS:PORT: where NS thinks that the other one is.
endpoint() {
	local other=ours
	[[ $1 == ours ]] && other=c
	at() { [[ $(shown "$1" endpoints "$other") == "$2" ]]; }
	eventually 3 at "$1" "$2" || fail "$1 has $other at $(shown "$1" endpoints "$other"), not at $2"
}

load_module
load_c_module
joined ours c
kind[c]=wireguarc
tunnel ours c
[[ $(ip -n c -d link show wg0) == *wireguarc* ]] || fail "the C side is not the C driver"
declare -A inside4=([ours]=192.168.7.1 [c]=192.168.7.2) inside6=([ours]=fd77::1 [c]=fd77::2)
touch /tmp/sent
capture c veth /tmp/all "$initiation"
# tcpdump writes where it likes; this copy can be emptied.
tail -n +1 -f /tmp/all >>/tmp/sent &

fresh ours
fresh c

# A preshared key on one side only ends it, one on both is used.
key=$(wg genpsk)
peer ours c preshared-key /dev/stdin <<<"$key"
restart
unanswered ours 192.168.7.2 || fail "a preshared key on one side only"
peer c ours preshared-key /dev/stdin <<<"$key"
fresh c
fresh ours

# After 122 s the initiator makes a new session on sending; the old one carries the packets meanwhile.
for ns in ours c; do
	fresh "$ns"
	pass 122
	other=ours
	[[ $ns == ours ]] && other=c
	answers "$ns" "${inside4[$other]}" || fail "$ns: ping at the time of the rekey"
	by "$ns" 2
	by "$other" 0
	answers "$ns" "${inside4[$other]}" || fail "$ns: ping in the new session"
	answers "$other" "${inside6[$ns]}" || fail "$ns: ping in the new session, the way back"
done

# Either moves to another address, port and family; the other one follows.
ip -n ours addr del 10.0.0.1/24 dev veth
ip -n ours addr add 10.0.0.11/24 dev veth
answers ours 192.168.7.2 || fail "ours from a new address"
endpoint c 10.0.0.11:51821
ip -n c addr del 10.0.0.2/24 dev veth
ip -n c addr add 10.0.0.12/24 dev veth
answers c 192.168.7.1 || fail "c from a new address"
endpoint ours 10.0.0.12:51822
wg_in ours set wg0 listen-port 4001
answers ours 192.168.7.2 || fail "ours from a new port"
endpoint c 10.0.0.11:4001
wg_in c set wg0 listen-port 4002
answers c 192.168.7.1 || fail "c from a new port"
endpoint ours 10.0.0.12:4002
peer ours c endpoint '[fd00:0::2]:4002'
answers ours fd77::2 || fail "ours in another family"
endpoint c '[fd00::1]:4001'
peer c ours endpoint 10.0.0.11:4001
answers c fd77::1 || fail "c in another family"
endpoint ours 10.0.0.12:4002

# Both still make sessions where they are now.
for ns in ours c; do
	restart
	other=ours
	[[ $ns == ours ]] && other=c
	answers "$ns" "${inside4[$other]}" || fail "$ns: a new session after roaming"
done
