# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# the mark is set although the namespace of the sockets is gone
s/port\.is_some() || fwmark\.is_some()/port.is_some()/
