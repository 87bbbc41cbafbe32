#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount
# A session ends while packets wait for the worker that sends a stream. No more of them wait for
# the next session than if there had been none before: 128.

. "$(dirname "$0")/../lib.sh"

skip_on_c "leaves nothing to a worker before it has nonces"

load_module
joined a b
tunnel a b
answers a 192.168.7.2 || fail "no answer"
passed=$(statistic b rx_packets)

# b does not know the new key, so that there is no other session.
python3 - 192.168.7.2 <<'END'
"""Sends 400 datagrams from "a" and changes its private key, while no worker can run."""

import os
import socket
import sys

from wgtest.genl import Client, Device, attr, name, namespace

client = Client("a")
with namespace("a"):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# WireGuard's own port swallows them.
sender.connect((sys.argv[1], 51822))
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
for _ in range(400):
    sender.send(b"")
client.set(name("wg0"), attr(Device.PRIVATE_KEY, bytes(31) + b"\x40"))
END

# gone: whether the worker has had its turn.
gone() {
	(($(statistic a tx_dropped) > 0))
}
eventually 3 gone || fail "nothing was dropped"
passed=$(($(statistic b rx_packets) - passed))
dropped=$(statistic a tx_dropped)
echo "$passed passed, $dropped were dropped"
((dropped == 400 - passed - 128)) || fail "$((400 - passed - dropped)) wait, not 128"
