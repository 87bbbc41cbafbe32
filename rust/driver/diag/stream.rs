// SPDX-License-Identifier: GPL-2.0

//! The numbers and the rate of the events of an interface to one group.

use wg_proto::bucket::Bucket;

/// Events of an interface and group that may come at once.
const BURST: u64 = 4096;

/// Nanoseconds in which another one may come.
const INTERVAL: u64 = 1_000_000;

/// The events of an interface to one group.
pub(super) struct Stream {
    /// Number of the last event.
    pub(super) sequence: u64,
    /// Events that were left out since one was sent.
    pub(super) left_out: u64,
    bucket: Bucket<BURST, INTERVAL>,
}

impl Stream {
    /// Creates the state before the first event.
    pub(super) const fn new() -> Self {
        Self {
            sequence: 0,
            left_out: 0,
            bucket: Bucket::new(),
        }
    }

    /// Numbers an event. Returns how many were left out before it, and whether one that comes now
    /// would be left out; [`None`] if this one is left out as well.
    pub(super) fn next(&mut self, now: u64) -> Option<(u64, bool)> {
        self.sequence = self.sequence.wrapping_add(1);
        if !self.bucket.take(now) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        let is_last = !self.bucket.has_token(now);
        Some((core::mem::take(&mut self.left_out), is_last))
    }
}
