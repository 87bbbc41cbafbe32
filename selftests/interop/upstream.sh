#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 600
# boot: own
# The kernel's own selftest of WireGuard, netns.sh, unmodified and out of the kernel's source, with
# debug messages on and a log that holds them all, as its search for leaked objects finds nothing
# otherwise. That search reads the kernel's log from its very beginning, hence a machine of its own.

. "$(dirname "$0")/../lib.sh"

load_module
# It puts its files beside itself and its output is coloured.
cp "$WG_KERNEL/tree/tools/testing/selftests/wireguard/netns.sh" "$work/netns.sh"
# Debian's kernel for PREEMPT_RT has no target SNAT of iptables; nft says the same rule.
if ! modprobe --dry-run --quiet xt_nat; then
	mkdir "$work/bin"
	cat >"$work/bin/iptables" <<-'END'
		#!/bin/bash
		set -e
		case $* in
		"-t nat -F") exec nft flush table ip nat ;;
		*"-j SNAT"*) ;;
		*) exec "$(PATH=${PATH#*:} type -P iptables)" "$@" ;;
		esac
		nft add table ip nat
		nft add chain ip nat POSTROUTING '{ type nat hook postrouting priority srcnat; }'
		eval "$(iptables-translate "$@")"
	END
	chmod +x "$work/bin/iptables"
	PATH=$work/bin:$PATH
fi
NPROC=$(nproc) bash "$work/netns.sh"
(($(created Peer) + $(created Keypair) + $(created Interface) > 100)) ||
	fail "its log has merely $(objects | wc -l) objects: the search for leaks has seen nothing"
check_balance all
