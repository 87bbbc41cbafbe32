// E0277: packets are handed to the stack only by the thread that polls
// SPDX-License-Identifier: GPL-2.0

//! The right to hand packets to the stack, given to another thread.

#![forbid(unsafe_code)]

use kext::net::{
    device::Operations,
    napi::Gro, //
};

fn to_another_thread<V: Send>(value: V) {
    drop(value);
}

/// Sends it away.
pub fn sends<T: Operations>(gro: &mut Gro<'_, T>) {
    to_another_thread(());
    let _ = gro.running().is_some();
    to_another_thread(gro); //~
}
