# SPDX-License-Identifier: GPL-2.0
"""A reference peer (lib/noise.py) in the namespace "far" sends right and wrong messages to wg0 in
"near".

After each wrong one: exactly the counter of its reason rose by one, nothing was answered, no byte
was counted as received, and the endpoint of the peer stayed. Time is that of instructions, so
waiting costs nothing; but time leaps while the guest waits for its disk, so nothing is read or
written within a step.
"""

import os
import sys

from wgtest import check, noise
from wgtest.check import equal, run
from wgtest.machine import drop_counts

from bad_packets.ends import drops, fresh, into_tunnel, link
from bad_packets.formats import datagrams, shapes, wire
from bad_packets.handshakes import initiations, no_identity, responses
from bad_packets.inner import inner, sending
from bad_packets.load import cookies, known, load, other_interface
from bad_packets.sessions import ages, crowd, data, roaming, sessions, waiting

# What cannot be had from outside: the stack, the state of the machine or a race of two CPUs come
# before it.
BEYOND_REACH = {
    "rx-bad-datagram", "rx-rng-not-ready", "handshake-wrong-state", "rx-response-superseded", "no-memory",
    "tx-segmentation", "tx-queue-full", "tx-encrypt", "tx-no-socket",
}


def coverage():
    """Each counter rose at some time, except those that packets from outside cannot raise."""
    if check.ON_C:
        raise check.Skip("the C module has no counters")
    if len(sys.argv) > 1:
        raise check.Skip("not all steps were run")
    never = {reason for reason, count in drop_counts().items() if not count}
    # row E10
    equal("never counted", sorted(never), sorted(BEYOND_REACH))


# /sys shows the network namespace of the process that mounted it.
os.makedirs("/run/near-stats", exist_ok=True)
run("nsenter --net=/run/netns/near mount -t sysfs near /run/near-stats")
noise.demonstrate()
# Reading a program or module from the disk takes any amount of guest time: done before anything
# counts.
fresh()
into_tunnel()
drops()
link("rx_errors")
check.main(shapes, datagrams, initiations, no_identity, data, crowd, sessions, waiting, inner, roaming, responses, cookies, load,
           known, other_interface, wire, ages, sending, coverage)
