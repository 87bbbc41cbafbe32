# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# a request without permission is told as a change
/^    let fwmark = request\.get/s/$/\n    config.changed();/
