# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink.rs
# a flag of peers that is not defined is taken
s/u32_mask(peer_attr::FLAGS, 0x7)/u32_mask(peer_attr::FLAGS, 0xf)/
