// E0080: what does not fit into the control block
// SPDX-License-Identifier: GPL-2.0

//! A control block of 49 bytes.

#![forbid(unsafe_code)]

use kext::net::skb::SkBuff;

/// Looks at it.
#[inline(never)]
pub fn looks(skb: &SkBuff) {
    let _fits = skb.cb::<[u8; 48]>();
    let _too_large = skb.cb::<[u8; 49]>(); //~
}
