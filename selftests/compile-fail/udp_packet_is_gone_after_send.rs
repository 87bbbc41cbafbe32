// E0382: a packet that was sent belongs to the stack
// SPDX-License-Identifier: GPL-2.0

//! A packet sent twice.

#![forbid(unsafe_code)]

use kext::net::{
    device::Operations,
    skb::SkBuff,
    udp::Output4, //
};

/// Sends a packet.
pub fn twice<T: Operations>(output: &mut Output4<'_, T>, skb: SkBuff) {
    let _ = output.send(skb, 0);
    let _ = output.send(skb, 0); //~
}
