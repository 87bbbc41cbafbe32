# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# the private key stays in the request
s/^    let _private = Wiped/    let _ = Some/
