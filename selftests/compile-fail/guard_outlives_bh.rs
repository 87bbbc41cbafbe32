// E0505: a spinlock must not be held with bottom halves on
// SPDX-License-Identifier: GPL-2.0

//! A spinlock must not be held with bottom halves on.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::lock::SpinLock};

/// Turns bottom halves on under the lock.
pub fn breaks(process: &mut Process, spin: &SpinLock<u32>) -> u32 {
    let bh = process.bh();
    let guard = spin.lock(&bh);
    drop(bh); //~
    *guard
}
