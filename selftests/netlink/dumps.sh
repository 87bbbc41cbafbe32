#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# limit: 120
# Dumps that take many messages are whole, and end, whatever changes or goes away while they are
# half read.

. "$(dirname "$0")/../lib.sh"

load_module
python3 -B "$WG_TOP/selftests/netlink/dumps.py"
