// E0061: what frees a packet's connection or charge needs bottom halves off
// SPDX-License-Identifier: GPL-2.0

//! A packet that loses its connection and its socket where an interrupt may have hit a softirq.

#![forbid(unsafe_code)]

use kext::net::skb::SkBuff;

/// Has no proof, as in a timer that runs in an interrupt.
pub fn breaks(skb: &mut SkBuff) {
    skb.orphan(); //~
    skb.reset_for_decap(); //~
    skb.reset_for_encap(); //~
}
