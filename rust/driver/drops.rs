// SPDX-License-Identifier: GPL-2.0

//! Counters of everything that was refused, by reason.

use kernel::{
    alloc::flags::GFP_KERNEL,
    debugfs::{
        Dir,
        File,
        Writer, //
    },
    fmt,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use wg_proto::Reject;

/// How often each [`Reject`] happened on one interface.
///
/// Shown by debugfs as `wireguard/<interface>/drops`, one `name count` per line.
pub(crate) struct Drops([Atomic<u64>; Reject::COUNT]);

impl Drops {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Self {
        Self([const { Atomic::new(0) }; Reject::COUNT])
    }

    /// Counts one refusal.
    pub(crate) fn count(&self, reason: Reject) {
        self.add(reason, 1);
    }

    /// Counts `n` refusals for the same reason.
    pub(crate) fn add(&self, reason: Reject, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(n, Relaxed);
        }
    }
}

/// The file that shows the counters.
pub(crate) type Shown = Pin<KBox<File<View>>>;

/// What the file shows.
pub(crate) struct View(Arc<Drops>);

impl Writer for View {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, counter) in Reject::ALL.iter().zip(&self.0 .0) {
            writeln!(f, "{} {}", reason.name(), counter.load(Relaxed))?;
        }
        Ok(())
    }
}

/// Shows the counters of an interface in its folder, where they stay until the result is dropped.
pub(crate) fn show(drops: &Arc<Drops>, dir: &Dir) -> Result<Shown> {
    KBox::pin_init(
        dir.read_only_file(c"drops", Ok::<_, Error>(View(drops.clone()))),
        GFP_KERNEL,
    )
}
