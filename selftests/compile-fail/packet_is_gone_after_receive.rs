// E0382: a packet that was handed to the stack belongs to the stack
// SPDX-License-Identifier: GPL-2.0

//! A packet used after it was handed on.

#![forbid(unsafe_code)]

use kext::net::{
    device::{
        Operations,
        Running, //
    },
    napi::Gro,
    skb::SkBuff, //
};

/// Counts the bytes too late.
pub fn counts<T: Operations>(gro: &mut Gro<'_, T>, running: Running<'_, T>, skb: SkBuff) {
    let _ = gro.receive(skb);
    running.tx_add(1, skb.len() as u32); //~
}
