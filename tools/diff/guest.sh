#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: loads both drivers, without debug messages, and starts the comparison.
# usage: guest.sh WG-DIFF ARGUMENTS…

. "$(dirname "$0")/../../selftests/lib.sh"

mark_log diff
"$WG_TOP/tools/load.sh" >/dev/null
load_c_module
# Creating and removing a hundred thousand peers would fill the log.
echo 'module wireguard -p; module wireguarc -p' >/proc/dynamic_debug/control
# Each removal of peers waits for a grace period; here thousands of them stand behind each other.
echo 1 >/sys/kernel/rcu_expedited

# The driver logs each listening port that is taken already, and a console is slow.
dmesg -n 1

status=0
"$@" || status=$?
eventually 20 rmmod wireguard || status=1
eventually 20 rmmod wireguarc || status=1
(check_clean_log) || {
	echo "0 passed, 1 failed, 0 skipped"
	status=1
}
exit "$status"
