# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/get.rs
# a peer that goes on in the next message loses a prefix
s/cursor\.tag = tag;/cursor.tag = tag.wrapping_add(1);/
