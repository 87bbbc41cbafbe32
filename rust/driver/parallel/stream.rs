// SPDX-License-Identifier: GPL-2.0

//! Whether single packets belong to a stream, or to questions and answers.
//!
//! TCP tells the two apart by its `pingpong` counter.

use crate::jiffies::JiffyStamp;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kext::{
    sync::ReadOnce,
    time, //
};

/// Unanswered packets above which single packets count as a stream: about 2000 per second.
// CAST: HZ is small.
const STREAM_PACKETS: u32 = 2000 / time::HZ as u32;

/// Cap of that count: halving it per jiffy forgets a stream within three jiffies.
const MAX_UNANSWERED: u32 = 8 * STREAM_PACKETS;

/// Detects streams of single packets in one direction of a peer.
///
/// It counts packets, halved each jiffy, except those that follow data from the other side: these
/// may be answers, or questions after an answer.
///
/// A bare TCP acknowledgement is no data in this sense. Its sender does not wait for each
/// acknowledgement; if these counted as answers, a stream whose receiver acknowledges every packet
/// would be sent packet by packet, and so would each be acknowledged.
pub(crate) struct StreamDetector {
    /// When the count was halved last.
    halved: JiffyStamp,
    unanswered: u32,
}

impl StreamDetector {
    /// Creates the detector of an idle peer.
    pub(crate) const fn new() -> Self {
        Self {
            halved: JiffyStamp::ZERO,
            unanswered: 0,
        }
    }

    /// Counts a packet unless it is an answer, and returns whether it belongs to a stream.
    ///
    /// An answer does not reset the count: two programs may send to the same peer.
    pub(crate) fn is_stream(&mut self, is_answer: bool) -> bool {
        let rest = match self.halved.age() {
            0 => self.unanswered,
            1 => self.unanswered / 2,
            _ => 0,
        };
        self.halved = JiffyStamp::now();
        self.unanswered = rest
            .saturating_add(u32::from(!is_answer))
            .min(MAX_UNANSWERED);
        self.unanswered > STREAM_PACKETS
    }
}

/// A flag that one direction sets when data passes, and the other reads and clears.
///
/// A hint, which may get lost where CPUs race. Setting a flag that is set does not write its cache
/// line.
pub(crate) struct SeenFlag(Atomic<bool>);

impl SeenFlag {
    /// Creates a clear flag.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Sets the flag.
    #[inline]
    pub(crate) fn set(&self) {
        if !self.0.read_once() {
            self.0.store(true, Relaxed);
        }
    }

    /// Returns whether the flag was set, and clears it.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        let was_set = self.0.read_once();
        if was_set {
            self.0.store(false, Relaxed);
        }
        was_set
    }
}
