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
    sequence: u64,
    /// Events that were left out since one was sent.
    pub(super) left_out: u64,
    bucket: Bucket<BURST, INTERVAL>,
}

/// An event that is sent.
pub(super) struct Numbered {
    pub(super) sequence: u64,
    /// Events that were left out before it.
    pub(super) left_out: u64,
    /// Whether another one that comes now would be left out.
    pub(super) is_last: bool,
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

    /// Numbers an event. Returns [`None`] if it is left out.
    pub(super) fn next(&mut self, now: u64) -> Option<Numbered> {
        self.sequence = self.sequence.wrapping_add(1);
        if !self.bucket.take(now) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        let is_last = !self.bucket.has_token(now);
        Some(Numbered {
            sequence: self.sequence,
            left_out: core::mem::take(&mut self.left_out),
            is_last,
        })
    }
}
