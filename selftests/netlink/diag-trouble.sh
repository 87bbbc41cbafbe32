#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# limit: 180
# What the family "wireguard-diag" says of peers that do not answer: every initiation since the last
# answer counts, whatever traffic there is, and after the end of a session, another endpoint or a
# restart nothing old is in it.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/client.sh"

skip_on_c "has no such family"

# traffic SECONDS: a packet each second, none of which is answered.
traffic() {
	local second
	for ((second = 0; second < $1; second++)); do
		datagram a 192.168.7.2
		pass 1
	done
}

# is_given_up_then STATE: a packet begins a series of handshakes in vain. After a restart of the
# interface the peer is in STATE, and nothing of the series is left.
is_given_up_then() {
	datagram a 192.168.7.2
	pass 120
	diag a b 'p = peer(); assert p["state"] == "given-up" and 18 <= p["attempt"] <= 20 and trouble(), p'
	ip -n a link set wg0 down
	ip -n a link set wg0 up
	diag a b "p = peer(); assert p['state'] == '$1' and 'attempt' not in p, p"
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer through the tunnel"

# One-way data is no trouble: the other side answers by a keepalive after ten seconds.
ip -n b route add blackhole 192.168.7.1 table 5
ip -n b rule add to 192.168.7.1 lookup 5 priority 1
datagram a 192.168.7.2
pass 5
diag a b 'assert peer()["awaiting"] and not trouble(), peer()'
pass 6
diag a b 'assert not "awaiting" in peer() and not trouble(), peer()'
ip -n b rule del priority 1

# The peer goes under a live session.
ip -n b link set wg0 down
traffic 34
diag a b 'p = peer()
assert p["state"] == "session" and 3 <= p["attempt"] <= 5 and 8000 < p["attempts-age"] < 25000 and trouble(), p'
# The session ends, and traffic goes on: the protocol's own count never gets beyond the first.
pass 200
traffic 30
diag a b 'p = peer()
assert p["state"] == "waiting" and p["attempt"] > 9 and p["attempts-age"] > 200000 and trouble(), p'
pass 110
diag a b 'p = peer(); assert p["state"] == "given-up" and p["attempt"] > 25 and trouble(), p'
# Nothing was sent to another endpoint yet.
peer a b endpoint 10.0.0.3:51822
diag a b 'p = peer(); assert p["state"] != "given-up" and "attempt" not in p and "attempts-age" not in p, p'
is_given_up_then reset
peer a b endpoint 10.0.0.2:51822
ip -n b link set wg0 up
answers a 192.168.7.2 || fail "no answer after all"
diag a b 'p = peer(); assert p["state"] == "session" and "attempt" not in p and not "cookies" in p, p'

# One packet under a session, and no answer: given up while the session still is young enough. What
# was dropped before is no trouble any more by then.
pass 40
ip -n b link set wg0 down
datagram a 192.168.7.2
pass 130
diag a b 'p = peer(); assert p["state"] == "session" and p["attempt"] >= 18 and trouble(), p'

# A restart leaves nothing of a peer that never answered.
for ns in a b; do ip -n $ns link del wg0; done
tunnel a b
ip -n b link set wg0 down
is_given_up_then unused
