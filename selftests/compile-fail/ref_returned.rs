// E0515: a borrowed value must not be returned out of its section
// SPDX-License-Identifier: GPL-2.0

//! A borrowed value must not be returned out of its section.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::rcu::Slot};

/// Returns the value, bottom halves on.
pub fn breaks<'a>(process: &'a mut Process, slot: &'a Slot<u32>) -> Option<&'a u32> {
    let bh = process.bh();
    return slot.load(&bh).map(|seen| seen.target()); //~
    #[allow(unreachable_code)]
    None
}
