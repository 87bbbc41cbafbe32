// E0624: a driver cannot make the proof that bottom halves are off
// SPDX-License-Identifier: GPL-2.0

//! A driver cannot make the proof that bottom halves are off.

#![forbid(unsafe_code)]

use kext::{context::Bh, sync::rcu::Slot};

/// Looks at a value.
pub fn looks(slot: &Slot<u32>, bh: &Bh<'_>) -> bool {
    slot.load(bh).is_some()
}

/// Looks at a value in no section.
pub fn breaks(slot: &Slot<u32>) {
    looks(slot, &Bh::in_softirq()); //~
}
