#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# Every error that a netlink request can get, with its words, and what such a request changes all
# the same.

. "$(dirname "$0")/../lib.sh"

load_module
python3 -B "$WG_TOP/selftests/netlink/netlink-errors.py"
