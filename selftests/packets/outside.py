# SPDX-License-Identifier: GPL-2.0
"""What the network sees of a tunnel, and what it gives back (mostly rows D of behaviour.tsv).

The script has made a tunnel between the namespaces a and b; all that is looked at lies in the
headers and in the counters of other parts of the kernel.
"""

from wgtest import check

from outside.errors import local_failures, too_big, unreachable
from outside.headers import delivery, flows, headers, inner_checksums, marks
from outside.nested import nested
from outside.queues import order, segments, staged

check.main(headers, marks, local_failures, flows, inner_checksums, delivery, unreachable, too_big, staged, segments,
           order, nested)
