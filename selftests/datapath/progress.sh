#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp
# when: all
# limit: 900
# needs: faults
# The oldest decryption of a peer is held back while more packets than there is room for queue
# behind it, and a hog of the highest class sits on a CPU. When both are gone, what was queued is
# delivered within a second, though no packet follows that could push it. (CVE-2026-52945: the C
# module's peer stays deaf for good; it has no such switch.)

. "$(dirname "$0")/../lib.sh"

skip_on_c "has no switch to hold a decryption back"

use_variant faults
load_module
joined a b
tunnel a b
answers a 192.168.7.2 -w 5 || fail "a ping"
# A hog that the scheduler lets run.
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
rounds=1000 within=1
# On a debug kernel the packets of a round alone take several seconds.
! debug_kernel || rounds=20 within=60
python3 "$WG_TOP/selftests/datapath/progress.py" "$within" "$rounds"
