// E0499: a mutex must not be taken under a spinlock
// SPDX-License-Identifier: GPL-2.0

//! A mutex must not be taken under a spinlock.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    sync::lock::{Mutex, SpinLock},
};

/// Takes the locks in an order that sleeps.
pub fn breaks(process: &mut Process, spin: &SpinLock<u32>, mutex: &Mutex<u32>) {
    let bh = process.bh();
    let guard = spin.lock(&bh);
    drop(mutex.lock(process)); //~
    drop(guard);
}
