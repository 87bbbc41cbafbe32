// SPDX-License-Identifier: GPL-2.0

//! Times in jiffies.

use kext::time;

/// A time in jiffies, cut to 32 bits: ages below 2^32 jiffies are right.
#[derive(Clone, Copy)]
pub(crate) struct JiffyStamp(u32);

impl JiffyStamp {
    /// Jiffy 0, for a stamp whose value does not matter yet.
    pub(crate) const ZERO: Self = Self(0);

    /// Returns the current time.
    pub(crate) fn now() -> Self {
        // CAST: Jiffies wrap, and what is older than that does not matter.
        Self(time::jiffies() as u32)
    }

    /// Returns how many jiffies have passed since then.
    pub(crate) fn age(self) -> u64 {
        u64::from(Self::now().0.wrapping_sub(self.0))
    }
}
