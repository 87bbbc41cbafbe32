// SPDX-License-Identifier: GPL-2.0

//! Clocks.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::bindings;
use crate::bindings::{
    ktime_get_coarse_with_offset,
    ktime_get_real_ts64,
    timespec64,
    tk_offsets_TK_OFFS_BOOT, //
};

pub mod hrtimer;
pub mod timer;

/// How many jiffies a second has.
// CAST: A few thousand at most.
pub const HZ: u64 = bindings::CONST_HZ as u64;

/// Returns the nanoseconds since boot, suspended time included, as of the last tick.
///
/// Reading it is cheap, and a tick is precise enough for time spans of seconds.
#[inline]
pub fn boottime_coarse() -> u64 {
    // SAFETY: No requirements.
    let now = unsafe { ktime_get_coarse_with_offset(tk_offsets_TK_OFFS_BOOT) };
    // CAST: Never negative.
    now as u64
}

/// Returns nanoseconds of `local_clock()`, which starts at about boot and is quick to read.
///
/// The clocks of two CPUs may differ a little.
///
/// C header: [`include/linux/sched/clock.h`](srctree/include/linux/sched/clock.h)
#[inline]
pub fn local_clock() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::local_clock() }
}

/// Returns the nanoseconds of `CLOCK_MONOTONIC`, the clock of packets' delivery times.
#[inline]
pub fn monotonic() -> i64 {
    // SAFETY: No requirements.
    unsafe { crate::bindings::ktime_get() }
}

/// Returns the wall clock: the seconds since 1970, and the nanoseconds of the current second.
pub fn realtime() -> (i64, u32) {
    let mut now = timespec64 {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writes.
    unsafe { ktime_get_real_ts64(&raw mut now) };
    // CAST: Below a thousand million by the C function's contract.
    (now.tv_sec, now.tv_nsec as u32)
}

/// Returns the tick counter, which starts at an arbitrary value and does not wrap.
///
/// On a 32-bit machine the C variable `jiffies` is its lower half, which wraps five minutes after
/// boot and then every few weeks.
#[inline]
pub fn jiffies() -> u64 {
    #[cfg(CONFIG_64BIT)]
    {
        let jiffies = &raw const bindings::jiffies;
        // SAFETY: Always valid for reads. Volatile, as the timer interrupt writes to it
        // (`READ_ONCE()`).
        // CAST: From `unsigned long`.
        unsafe { jiffies.read_volatile() as u64 }
    }
    #[cfg(not(CONFIG_64BIT))]
    // SAFETY: No requirements.
    unsafe {
        bindings::get_jiffies_64()
    }
}
