# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink.rs
# both names of an interface, or none: EINVAL
s/_ => Err(EBADR)/_ => Err(EINVAL)/
