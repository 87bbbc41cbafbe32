# SPDX-License-Identifier: GPL-2.0
"""Replaces the allowed IPs of the peers of wg0 in "a" and "b", as often as the word on the command
line says."""

import sys

from wgtest import check
from wgtest.genl import Client, Peer, name, peer, peers


class End:
    """One end of the tunnel, with two lists to choose from."""

    def __init__(self, where, other):
        self.client = Client(where)
        self.key = self.client.get("wg0")["peers"][0]["key"]
        # What both lists have comes last: C's gap is the rest of the message before it.
        self.lists = [[f"10.{kind}.{n}.0/24" for n in range(12)] + [f"192.168.7.{other}/32"] for kind in (1, 2)]

    def replace(self, ips):
        self.client.set(name("wg0"), peers(peer(self.key, flags=Peer.REPLACE_ALLOWEDIPS, ips=ips)))


def replacements():
    ends = [End("a", 2), End("b", 1)]
    for n in range(ROUNDS // 4):
        for which in (0, 1):
            for end in ends:
                end.replace(end.lists[which])
        if n % 100 == 0:
            for end in ends:
                # row P7
                check.equal("the list", end.client.get("wg0")["peers"][0]["ips"], end.lists[1])


ROUNDS = int(sys.argv.pop())
check.main(replacements)
