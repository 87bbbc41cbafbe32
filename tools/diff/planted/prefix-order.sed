# SPDX-License-Identifier: GPL-2.0
# rust/driver/config.rs
# prefixes in the opposite order
s/next_tag: 1,/next_tag: u64::MAX \/ 2,/
s/self\.next_tag = tag\.wrapping_add(1)/self.next_tag = tag.wrapping_sub(1)/
