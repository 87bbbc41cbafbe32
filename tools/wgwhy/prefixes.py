# SPDX-License-Identifier: GPL-2.0
"""Sets of networks that are asked about often."""

import bisect
import ipaddress


class Networks(list):
    """Networks, and what lies in them: each question takes no longer than a network has bits."""

    def __init__(self, networks=()):
        super().__init__(networks)
        self.known = {(one.version, int(one.network_address), one.prefixlen) for one in self}
        self.lengths = {version: sorted({one.prefixlen for one in self if one.version == version})
                        for version in (4, 6)}
        self.sorted = {version: sorted((int(one.network_address), one.prefixlen) for one in self
                                       if one.version == version) for version in (4, 6)}

    def covering(self, network):
        """The longest prefix of those in which a network lies; None if there is none."""
        first = int(network.network_address)
        for length in reversed(self.lengths[network.version]):
            start = first >> network.max_prefixlen - length << network.max_prefixlen - length
            if length <= network.prefixlen and (network.version, start, length) in self.known:
                return length
        return None

    def covers(self, address):
        return self.covering(ipaddress.ip_network(address)) is not None

    def has_within(self, network):
        """Whether a narrower one lies in a network."""
        known = self.sorted[network.version]
        # A network begins where the first that lies in it may begin.
        at = bisect.bisect_right(known, (int(network.network_address), network.prefixlen))
        return at < len(known) and known[at][0] <= int(network.broadcast_address)
