// E0505: a value with one owner must not be seen after its section
// SPDX-License-Identifier: GPL-2.0

//! A value with one owner must not be seen after its section.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::rcu::OwnedSlot};

/// Uses the value after bottom halves are on again.
pub fn breaks(process: &mut Process, slot: &OwnedSlot<u32>) -> Option<u32> {
    let bh = process.bh();
    let seen = slot.load(&bh)?;
    drop(bh); //~
    Some(*seen)
}
