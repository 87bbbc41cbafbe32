// SPDX-License-Identifier: GPL-2.0

//! Counts of packets that went no further.

use std::cell::Cell;
use wg_proto::DropReason;

/// As in `rust/driver/drops.rs`: frees the packets, and says why.
pub(crate) fn drop_for<T>(packets: T, reason: DropReason) -> DropReason {
    drop(packets);
    reason
}

/// The sum over all reasons.
#[derive(Default)]
pub(crate) struct Drops(Cell<u64>);

// SAFETY: Threads take turns.
unsafe impl Sync for Drops {}

impl Drops {
    pub(crate) fn add(&self, _reason: DropReason, n: u64) {
        self.0.set(self.0.get() + n);
    }

    pub(crate) fn count(&self, reason: DropReason) {
        self.add(reason, 1);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.get()
    }
}
