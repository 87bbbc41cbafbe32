// SPDX-License-Identifier: GPL-2.0

//! Time: jiffies pass when a timer expires.

pub mod timer;

/// Jiffies in a second.
pub const HZ: u64 = 250;

pub use kernel::model::timer::jiffies;

/// Nanoseconds.
pub fn local_clock() -> u64 {
    jiffies() * (1_000_000_000 / HZ)
}

/// Nanoseconds since the machine began.
pub fn boottime_coarse() -> u64 {
    local_clock()
}
