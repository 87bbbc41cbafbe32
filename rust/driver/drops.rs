// SPDX-License-Identifier: GPL-2.0

//! Counters of dropped packets and messages, by reason.

mod refusals;

pub(crate) use self::refusals::{
    Refusal,
    Refusals, //
};

use kernel::{
    debugfs::Writer,
    fmt, //
};
use wg_proto::DropReason;

/// How often each [`DropReason`] happened on one interface.
///
/// Shown by debugfs as `wireguard/<interface>/drops`, one `name count` per line.
pub(crate) struct Drops([Refusal; DropReason::COUNT]);

impl Drops {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Self {
        Self([const { Refusal::new() }; DropReason::COUNT])
    }

    /// Counts one drop.
    pub(crate) fn count(&self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts `n` drops for the same reason.
    pub(crate) fn add(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.add(n);
        }
    }

    /// Returns the counter of the reason with this index.
    pub(crate) fn get(&self, index: usize) -> u64 {
        let refusal = self.0.get(index).and_then(Refusal::get);
        refusal.map_or(0, |(count, _)| count)
    }

    /// Iterates over the reasons that occurred: how often, and when last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DropReason, u64, u64)> + '_ {
        DropReason::ALL
            .iter()
            .zip(&self.0)
            .filter_map(|(reason, refusal)| {
                refusal.get().map(|(count, last)| (*reason, count, last))
            })
    }
}

impl Writer for Drops {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for reason in DropReason::ALL {
            writeln!(f, "{} {}", reason.name(), self.get(reason.index()))?;
        }
        Ok(())
    }
}
