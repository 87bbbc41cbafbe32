#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 240
# A prefix that is in the old and in the new list of its peer has an owner all the time: ten
# thousand replacements lose no packet of a flood, and the list is what C's would be. The C module,
# which empties the list first, loses some.

. "$(dirname "$0")/../lib.sh"

# flood: pings, some hundred at a time so that none is under way at the end, until $work/stop is
# there.
flood() {
	until [[ -e $work/stop ]]; do
		in_ns a ping -q -f -c 300 -W 5 192.168.7.2 2>&1 || true
	done >"$work/flood"
}

load_module
joined a b
tunnel a b
answers a 192.168.7.2 -w 5 || fail "a ping"
flood &
flooding=$!
python3 "$WG_TOP/selftests/netlink/replace-allowed-ips.py" 10000 || fail "the lists are not what they should be"
touch "$work/stop"
wait $flooding

read -r sent received < <(awk '/packets transmitted/ { sent += $1; received += $4 } END { print sent + 0, received + 0 }' "$work/flood")
echo "$((sent - received)) of $sent pings were lost"
((sent >= 1000)) || fail "merely $sent pings were sent"
if on_c; then
	((received < sent)) || fail "the C module lost nothing: this test cannot see a gap"
else
	((received == sent)) || fail "$((sent - received)) of $sent pings were lost: $(grep -v '^$' "$work/flood" | sort | uniq -c | sort -rn | head -n 20)"
fi
