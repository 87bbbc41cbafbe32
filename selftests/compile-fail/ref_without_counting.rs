// E0308: a borrowed value is not a counted one
// SPDX-License-Identifier: GPL-2.0

//! A borrowed value is not a counted one.

#![forbid(unsafe_code)]

use kext::{context::Bh, sync::rcu::Slot};

/// Publishes a value without counting it.
pub fn breaks(from: &Slot<u32>, to: &Slot<u32>, bh: &Bh<'_>) {
    let seen = from.load(bh);
    drop(to.swap(seen)); //~
}
