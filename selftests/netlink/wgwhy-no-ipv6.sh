#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# boot: own
# words: ipv6.disable=1
# when: all
# wgwhy names the cause where the kernel has no IPv6, but a peer has an endpoint or allowed IPs of
# it.

. "$(dirname "$0")/../lib.sh"
. "$WG_TOP/selftests/lib/troubles.sh"

! has_ipv6 || skip "this kernel has IPv6"
load_module

if row healthy; then
	used
	fine a
	fine b
fi

if row no-socket; then
	fresh
	peer a b endpoint '[fd00::2]:51822'
	tries a
	tells a no-socket
	peer a b endpoint 10.0.0.2:51822
	repaired
fi

if row ipv6-off; then
	used
	peer a b allowed-ips 192.168.7.2/32,fd77::2/128
	tells a ipv6-off
	peer a b allowed-ips 192.168.7.2/32
	repaired
fi
ended
