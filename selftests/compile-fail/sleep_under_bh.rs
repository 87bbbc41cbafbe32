// E0499: nothing may sleep while bottom halves are off
// SPDX-License-Identifier: GPL-2.0

//! Nothing may sleep while bottom halves are off.

#![forbid(unsafe_code)]

use kext::{context::Process, sync::rcu};

/// Waits for itself.
pub fn breaks(process: &mut Process) {
    let bh = process.bh();
    rcu::synchronize(process); //~
    drop(bh);
}
