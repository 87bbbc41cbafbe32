// SPDX-License-Identifier: GPL-2.0

//! Counters of dropped packets, by reason.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::Bh,
    new_spinlock,
    sync::lock::SpinLock,
    time, //
};
use wg_proto::{
    prefix::Address,
    DropReason, //
};

/// How often something was dropped for one reason, and when last.
pub(crate) struct DropCounter {
    count: Atomic<u64>,
    last: Atomic<u64>,
}

impl DropCounter {
    /// Creates the counter at zero.
    pub(crate) const fn new() -> Self {
        Self {
            count: Atomic::new(0),
            last: Atomic::new(0),
        }
    }

    /// Counts `n` more.
    pub(crate) fn add(&self, n: u64) {
        self.count.fetch_add(n, Relaxed);
        self.last.store(time::boottime_coarse(), Relaxed);
    }

    /// Returns how often it happened, and when last in nanoseconds since boot; [`None`] if it never
    /// did.
    pub(crate) fn get(&self) -> Option<(u64, u64)> {
        match self.count.load(Relaxed) {
            0 => None,
            count => Some((count, self.last.load(Relaxed))),
        }
    }
}

/// The dropped packets of a peer. Made for the first one.
#[pin_data]
pub(crate) struct DropCounters {
    reasons: [DropCounter; DropReason::COUNT],
    /// The last source of a packet that is not in the allowed IPs.
    #[pin]
    source: SpinLock<Option<Address>>,
}

impl DropCounters {
    /// Creates counters at zero.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            reasons: [const { DropCounter::new() }; DropReason::COUNT],
            source <- new_spinlock!(None),
        })
    }

    /// Counts `n` drops.
    pub(crate) fn add(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.reasons.get(reason.index()) {
            counter.add(n);
        }
    }

    /// Notes a source that is not in the allowed IPs.
    pub(crate) fn note_source(&self, source: Address, bh: &Bh<'_>) {
        *self.source.lock(bh) = Some(source);
    }

    /// Returns the last source that is not in the allowed IPs.
    pub(crate) fn source(&self, bh: &Bh<'_>) -> Option<Address> {
        *self.source.lock(bh)
    }

    /// Iterates over the reasons that occurred: how often, and when last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DropReason, u64, u64)> + '_ {
        DropReason::ALL
            .iter()
            .zip(&self.reasons)
            .filter_map(|(reason, counter)| {
                counter.get().map(|(count, last)| (*reason, count, last))
            })
    }

    /// Returns the reason of the latest drop since `start`, in nanoseconds since boot.
    pub(crate) fn latest(&self, start: u64) -> Option<DropReason> {
        let mut found = None;
        for (reason, _, last) in self.iter() {
            if last >= start && found.is_none_or(|(_, at)| last >= at) {
                found = Some((reason, last));
            }
        }
        found.map(|(reason, _)| reason)
    }
}
