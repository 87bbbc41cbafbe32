// E0499: the self-test allocates, so it may sleep
// SPDX-License-Identifier: GPL-2.0

//! The self-test of packet encryption in a read-side section.

#![forbid(unsafe_code)]

use kext::{context::Process, crypto::chacha20poly1305};

/// Sleeps with bottom halves off.
pub fn breaks(process: &mut Process) -> u32 {
    let bh = process.bh();
    let _ = chacha20poly1305::self_test(process); //~
    bh.cpu()
}
