# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# a change that is not told to a dump under way
/^    config\.changed();$/d
