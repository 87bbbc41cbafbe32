// SPDX-License-Identifier: GPL-2.0

//! Counters of dropped packets and messages, by reason.

use kernel::{
    debugfs::Writer,
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use wg_proto::DropReason;

/// How often each [`DropReason`] happened on one interface.
///
/// Shown by debugfs as `wireguard/<interface>/drops`, one `name count` per line.
pub(crate) struct Drops([Atomic<u64>; DropReason::COUNT]);

impl Drops {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Self {
        Self([const { Atomic::new(0) }; DropReason::COUNT])
    }

    /// Counts one drop.
    pub(crate) fn count(&self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts `n` drops for the same reason.
    pub(crate) fn add(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(n, Relaxed);
        }
    }
}

impl Writer for Drops {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, counter) in DropReason::ALL.iter().zip(&self.0) {
            writeln!(f, "{} {}", reason.name(), counter.load(Relaxed))?;
        }
        Ok(())
    }
}
