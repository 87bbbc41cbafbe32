// E0277: the proofs stay on their thread
// SPDX-License-Identifier: GPL-2.0

//! The proofs stay on their thread.

#![forbid(unsafe_code)]

use kext::context::{Bh, Process};

/// Sends a value to another thread.
pub fn send<T: Send>() {}

/// Sends the proofs.
pub fn breaks() {
    send::<u32>();
    send::<&mut Process>(); //~
    send::<Bh<'_>>(); //~
    send::<&Bh<'_>>(); //~
}
