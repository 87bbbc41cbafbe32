// E0499: there is one proof, which two cannot use at a time
// SPDX-License-Identifier: GPL-2.0

//! There is one proof, which two cannot use at a time.

#![forbid(unsafe_code)]

use kext::context::Process;

/// Uses the proof twice.
pub fn breaks(process: &mut Process) {
    let first = process.bh();
    drop(process.bh()); //~
    drop(first);
}
