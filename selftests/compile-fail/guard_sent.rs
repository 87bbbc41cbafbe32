// E0277: a lock is released where it was taken
// SPDX-License-Identifier: GPL-2.0

//! A lock is released where it was taken.

#![forbid(unsafe_code)]

use kext::sync::lock::{MutexGuard, ReadGuard, SpinLockGuard, WriteGuard};

/// Sends a value to another thread.
pub fn send<T: Send>() {}

/// Sends the guards.
pub fn breaks() {
    send::<u32>();
    send::<SpinLockGuard<'_, u32>>(); //~
    send::<MutexGuard<'_, u32>>(); //~
    send::<ReadGuard<'_, u32>>(); //~
    send::<WriteGuard<'_, u32>>(); //~
}
