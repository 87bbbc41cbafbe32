// E0499: a slot's value cannot be replaced while a reader borrows it
// SPDX-License-Identifier: GPL-2.0

//! A slot's value cannot be replaced while a reader borrows it.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::rcu::OwnedSlot};

/// Frees what it looks at.
pub fn breaks(process: &mut Process, slot: &OwnedSlot<u32>) -> Option<u32> {
    let bh = process.bh();
    let seen = slot.load(&bh)?;
    drop(slot.replace(None, process)); //~
    Some(*seen)
}
