// E0499: memory for a value is found where the caller may sleep
// SPDX-License-Identifier: GPL-2.0

//! An allocation that may sleep, in the read-side section of a borrow.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    sync::rcu::{RcuArc, Slot},
};

/// Uses a value that is freed when the section ends.
pub fn breaks(process: &mut Process, slot: &Slot<u32>) -> Option<u32> {
    let bh = process.bh();
    let seen = slot.load(&bh)?;
    drop(slot.swap(None));
    let _ = RcuArc::new([0u8; 4096], process); //~
    Some(*seen)
}
