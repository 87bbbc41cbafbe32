// E0505: a borrowed value must not outlive the section it was borrowed in
// SPDX-License-Identifier: GPL-2.0

//! A borrowed value must not outlive the section it was borrowed in.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::rcu::Slot};

/// Uses the value after bottom halves are on again.
pub fn breaks(process: &mut Process, slot: &Slot<u32>) -> Option<u32> {
    let bh = process.bh();
    let seen = slot.load(&bh)?;
    drop(bh); //~
    Some(*seen)
}
