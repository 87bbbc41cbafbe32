# SPDX-License-Identifier: GPL-2.0
# rust/driver/netlink/get.rs
# the keepalive interval is not dumped
s/^        peer\.persistent_keepalive(),/        0,/
