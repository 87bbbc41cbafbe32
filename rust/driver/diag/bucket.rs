// SPDX-License-Identifier: GPL-2.0

//! A token bucket, as one time.

/// A bucket of `BURST` tokens, which fills by one each `INTERVAL` nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Bucket<const BURST: u64, const INTERVAL: u64> {
    /// When the bucket was empty, if it has only filled since.
    empty_at: u64,
}

impl<const BURST: u64, const INTERVAL: u64> Bucket<BURST, INTERVAL> {
    /// Creates a full one.
    pub(super) const fn new() -> Self {
        Self { empty_at: 0 }
    }

    /// Returns whether a token can be taken at `now`, in nanoseconds since boot.
    pub(super) const fn has_token(&self, now: u64) -> bool {
        self.empty_at.saturating_add(INTERVAL) <= now
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: u64) -> bool {
        let is_taken = self.has_token(now);
        if is_taken {
            let full = now.saturating_sub(BURST.saturating_mul(INTERVAL));
            self.empty_at = self.empty_at.max(full).saturating_add(INTERVAL);
        }
        is_taken
    }
}
