# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# a peer with the key of the interface itself is made
s/public() == Some(&key)/public() == Some(\&PublicKey::ZERO)/
