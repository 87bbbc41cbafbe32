// SPDX-License-Identifier: GPL-2.0

//! Whether packets that come one by one are a stream, or questions and answers.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kext::time;

/// Single packets without an answer from which on others may gather behind them: some 2000 in a second.
// CAST: HZ is small.
const MANY_UNANSWERED: usize = 2000 / time::HZ as usize;

/// So many are forgotten again when the stream ends, or is answered.
const MAX_UNANSWERED: usize = MANY_UNANSWERED + MAX_TALLY;

/// The single packets that went one way between a peer and us lately, less what was [answered](Self::answered).
pub(crate) struct Pace {
    jiffy: u64,
    unanswered: usize,
}

impl Pace {
    /// Creates the pace of an idle peer.
    pub(crate) const fn new() -> Self {
        Self {
            jiffy: 0,
            unanswered: 0,
        }
    }

    /// Notes packets that went the other way. They do not start the count anew: a receiver of TCP answers every other
    /// packet, say, and still its sender waits for no answer.
    pub(crate) fn answered(&mut self, packets: usize) {
        self.unanswered = self.unanswered.saturating_sub(packets);
    }

    /// Counts one, and returns whether its sender does not seem to wait for an answer.
    pub(crate) fn is_stream(&mut self) -> bool {
        let jiffy = time::jiffies();
        let rest = match jiffy.wrapping_sub(self.jiffy) {
            0 => self.unanswered,
            1 => self.unanswered / 2,
            _ => 0,
        };
        self.jiffy = jiffy;
        self.unanswered = rest.saturating_add(1).min(MAX_UNANSWERED);
        self.unanswered > MANY_UNANSWERED
    }
}

/// As far as a tally counts: more make no difference.
const MAX_TALLY: usize = 64;

/// Packets that went one way since the last one went the other way.
///
/// A hint, of which some may get lost where CPUs meet; its cache line is not written without need.
pub(crate) struct Tally(Atomic<usize>);

impl Tally {
    /// Creates one that has counted nothing.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts packets.
    #[inline]
    pub(crate) fn add(&self, packets: usize) {
        let before = self.0.load(Relaxed);
        if before < MAX_TALLY {
            self.0.store(before.saturating_add(packets), Relaxed);
        }
    }

    /// Returns how many were counted since the last call.
    #[inline]
    pub(crate) fn take(&self) -> usize {
        let packets = self.0.load(Relaxed);
        if packets > 0 {
            self.0.store(0, Relaxed);
        }
        packets
    }
}
