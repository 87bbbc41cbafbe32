// E0277: a timer stays where it was made
// SPDX-License-Identifier: GPL-2.0

//! A timer stays where it was made.

#![forbid(unsafe_code)]

use kext::time::timer::Timer;

/// Moves a pinned value.
pub fn moves<T: Unpin>() {}

/// Moves a timer.
pub fn breaks() {
    moves::<u32>();
    moves::<Timer<u32, 0>>(); //~
    moves::<kext::workqueue::Work<u32, 0>>(); //~
}
