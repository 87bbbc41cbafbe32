#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# when: all
# limit: 120
# needs: c-module
# Sessions with the C driver, in one kernel.

. "$(dirname "$0")/../lib/foreign.sh"

load_c_module
kind[theirs]=wireguarc
foreign
[[ $(ip -n theirs -d link show "$(device_of theirs)") == *wireguarc* ]] || fail "the other side is not the C driver"
