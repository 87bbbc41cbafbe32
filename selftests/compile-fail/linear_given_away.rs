// E0505: a packet cannot be handed on while its bytes are being changed
// SPDX-License-Identifier: GPL-2.0

//! The bytes of a packet changed when others can see them.

#![forbid(unsafe_code)]

use kext::net::skb::Linear;

/// Writes to a packet that was given away.
pub fn writes(mut packet: Linear) {
    let bytes = packet.bytes_mut();
    drop(packet.into_skb()); //~
    bytes.fill(0);
}
