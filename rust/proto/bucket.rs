// SPDX-License-Identifier: GPL-2.0

//! A token bucket, which bounds a rate and lets bursts pass.

/// A bucket that holds at most `BURST` tokens and gains one each `INTERVAL` nanoseconds.
#[derive(Clone, Copy)]
pub struct Bucket<const BURST: u64, const INTERVAL: u64> {
    /// The time at which the bucket would have been empty, given the tokens that it holds.
    empty_at: u64,
}

impl<const BURST: u64, const INTERVAL: u64> Bucket<BURST, INTERVAL> {
    /// Creates a bucket whose tokens count from boot: empty then, full `BURST` intervals later.
    pub const fn new() -> Self {
        Self { empty_at: 0 }
    }

    /// Returns whether the bucket holds a token at `now`, in nanoseconds since boot.
    pub const fn has_token(&self, now: u64) -> bool {
        self.empty_at.saturating_add(INTERVAL) <= now
    }

    /// Takes a token at `now`, in nanoseconds since boot. Returns whether there was one.
    pub fn take(&mut self, now: u64) -> bool {
        let is_taken = self.has_token(now);
        if is_taken {
            let full = now.saturating_sub(BURST.saturating_mul(INTERVAL));
            self.empty_at = self.empty_at.max(full).saturating_add(INTERVAL);
        }
        is_taken
    }
}

impl<const BURST: u64, const INTERVAL: u64> Default for Bucket<BURST, INTERVAL> {
    fn default() -> Self {
        Self::new()
    }
}
