# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/set.rs
# the flag UPDATE_ONLY is not looked at
s/flags & (PEER_REMOVE_ME | PEER_UPDATE_ONLY) != 0/flags \& PEER_REMOVE_ME != 0/
