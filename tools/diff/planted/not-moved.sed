# SPDX-License-Identifier: GPL-2.0
# rust/driver/config.rs
# a prefix that moves to another peer stays with the old one, too
s/let _ = member\.prefixes\.remove(&loss\.tag);/let _ = member.prefixes.get(\&loss.tag);/
