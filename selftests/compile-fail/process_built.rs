// E0423: a driver cannot build the proof that it may sleep
// SPDX-License-Identifier: GPL-2.0

//! A driver cannot build the proof that it may sleep.

#![forbid(unsafe_code)]

use kext::context::Process;

/// Something that sleeps.
pub fn sleeps(process: &mut Process) {
    process.cond_resched();
}

/// Makes a proof out of nothing.
pub fn breaks() {
    sleeps(&mut Process(kernel::types::NotThreadSafe)); //~
}
