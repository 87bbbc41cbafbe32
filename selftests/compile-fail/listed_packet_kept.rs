// E0499: a list does not change while its packets are looked at
// SPDX-License-Identifier: GPL-2.0

//! A packet taken off a list that is being walked.

#![forbid(unsafe_code)]

use kext::net::skb::SkbList;

/// Frees a packet and changes it then.
pub fn walks(list: &mut SkbList) {
    for mut packet in list.iter_mut() {
        drop(list.pop_front()); //~
        *packet.cb_mut::<u32>() = 1;
    }
}
