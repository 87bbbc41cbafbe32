# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # from lib.sh
# Rows of troubles that wgwhy must name. Each has its trouble made in two fresh namespaces.
# make test-vm TEST="NAME rows=ROW,ROW" runs these rows only.

rows=0 faults=0

# The interface that is looked at; empty for all.
looked_at=wg0

# fault TEXT: notes a failure and goes on with the next row.
fault() {
	faults=$((faults + 1))
	echo "FAULT: row $row: $*"
}

# wgwhy NS ARGUMENTS…
wgwhy() {
	local ns=$1
	shift
	in_ns "$ns" python3 -B "$WG_TOP/tools/wgwhy" "$@"
}

# causes NS: the causes that it names, one a line.
causes() {
	wgwhy "$1" --json ${looked_at:+"$looked_at"} >"$work/troubles" || (($? == 1))
	python3 -c 'import json, sys; print(*sorted({t["cause"] for t in json.load(open(sys.argv[1]))}), sep="\n")' "$work/troubles"
}

names() { [[ $(causes "$1" | paste -sd " ") == "$2" ]]; }

# told NS CAUSES WANTED: soon it names these, and no other, with this exit status.
told() {
	local status=0
	eventually 20 names "$1" "$2" || fault "in $1 it names '$(causes "$1" | paste -sd ' ')', not '$2': $(cat "$work/troubles")"
	wgwhy "$1" ${looked_at:+"$looked_at"} >"$work/text" || status=$?
	((status == $3)) || fault "the second time its status is $status"
	sed "s/^/    /" "$work/text"
}

# tells NS CAUSE: as a trouble; notes NS CAUSE: as what need not be one.
tells() { told "$@" 1; }
notes() { told "$@" 0; }

no_trouble() { wgwhy "$1" >/dev/null; }

# fine NS: it finds nothing there.
fine() {
	local text
	text=$(wgwhy "$1") || fault "there is no trouble in $1, but it says: $text"
	[[ $text == "No trouble with wg0." ]] || fault "in $1 it says: $text"
}

# gone: ends the processes in the namespaces and deletes these.
gone() {
	local ns
	for ns in a b c; do
		ip netns pids $ns 2>/dev/null | xargs -r kill 2>/dev/null || true
		ip netns del $ns 2>/dev/null || true
	done
}

# fresh: two namespaces with a tunnel that is not used yet.
fresh() { gone; joined a b; tunnel a b; }

# used: the same, and the tunnel works.
used() {
	fresh
	answers a 192.168.7.2 || fault "no answer through the tunnel"
}

# repaired: what was done against the trouble helps.
repaired() {
	eventually 30 answers a 192.168.7.2 || fault "no answer after the repair"
	fine a
}

# tries NS [ADDRESS]: sends something, whatever becomes of it.
tries() { unanswered "$1" "${2:-192.168.7.2}" || true; }

# keeps_trying NS [OPTIONS OF PING]
keeps_trying() { in_ns "$1" ping -q -i 0.2 "${@:2}" >/dev/null 2>&1 & }

# know_each_other: a and b need not ask for each other's link addresses.
know_each_other() {
	ip -n a neigh replace 10.0.0.2 lladdr "$(in_ns b cat /sys/class/net/veth/address)" dev veth nud permanent
	ip -n b neigh replace 10.0.0.1 lladdr "$(in_ns a cat /sys/class/net/veth/address)" dev veth nud permanent
}

# also NAME: a row that goes on from the one before.
also() {
	row=$1
	rows=$((rows + 1))
	echo "row $row"
}

# row NAME: begins it, if all are wanted or it is.
row() {
	[[ -z ${WG_ROWS:-} || " $WG_ROWS " == *" $1 "* ]] && also "$1"
}

nft_in() {
	in_ns "$1" nft -f - <<-RULES
		table inet t {
			chain c {
				type filter hook $2 priority 0;
				$3
			}
		}
	RULES
}

# ended: after the last row.
ended() {
	gone
	echo "$rows rows"
	((faults == 0)) || fail "$faults faults, see above"
}
