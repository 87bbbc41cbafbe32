#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 300
# Two thousand peers: what they cost here and in the C module, in the same machine, one after the
# other.

. "$(dirname "$0")/../lib.sh"

measure() {
	python3 "$WG_TOP/selftests/datapath/scale.py" measure | tee "$work/$1"
}

if on_c; then
	load_module
	measure c
	exit
fi

modprobe wireguard
measure c
rmmod wireguard
load_module
measure ours
python3 "$WG_TOP/selftests/datapath/scale.py" compare "$work/ours" "$work/c"
