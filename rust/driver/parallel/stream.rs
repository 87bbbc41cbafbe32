// SPDX-License-Identifier: GPL-2.0

//! Whether packets that come one by one are a stream, or questions and answers.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kext::{
    context::Bh,
    time, //
};

/// Single packets without an answer from which on others may gather behind them: some 2000 in a second.
// CAST: HZ is small.
const MANY_UNANSWERED: usize = 2000 / time::HZ as usize;

/// So many are forgotten within three jiffies.
const MAX_UNANSWERED: usize = 8 * MANY_UNANSWERED;

/// The single packets that went one way between a peer and us lately, not counting those that
/// followed data from the other side: these may be answers, or questions after one.
///
/// What TCP sends only to acknowledge is no data in this sense. Its sender does not wait for each
/// acknowledgement; if these counted as answers, a stream whose receiver acknowledges every packet
/// would be sent packet by packet, and so would each be acknowledged.
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

    /// Counts a packet, unless it is an answer, and returns whether its sender does not seem to
    /// wait for any.
    ///
    /// An answer does not start the count anew: two programs may send by the same peer.
    pub(crate) fn is_stream(&mut self, is_answer: bool) -> bool {
        let jiffy = time::jiffies();
        let rest = match jiffy.wrapping_sub(self.jiffy) {
            0 => self.unanswered,
            1 => self.unanswered / 2,
            _ => 0,
        };
        self.jiffy = jiffy;
        self.unanswered = rest
            .saturating_add(usize::from(!is_answer))
            .min(MAX_UNANSWERED);
        self.unanswered > MANY_UNANSWERED
    }
}

/// Whether a worker of any interface sends on a CPU. Those above 63 share a place.
static SENDING: [Atomic<bool>; 64] = [const { Atomic::new(false) }; 64];

/// Returns the place of a CPU.
fn sending(cpu: u32) -> &'static Atomic<bool> {
    // CAST: Small.
    &SENDING[cpu as usize % SENDING.len()]
}

/// Returns whether a worker sends on this CPU.
///
/// A hint: that worker may be waiting for its turn.
pub(crate) fn is_worker_sending(bh: &Bh<'_>) -> bool {
    sending(bh.cpu()).load(Relaxed)
}

/// Notes whether a worker sends on this CPU.
pub(crate) fn worker_sends(cpu: u32, sends: bool) {
    sending(cpu).store(sends, Relaxed);
}

/// A moment of the last weeks, to a jiffy.
#[derive(Clone, Copy)]
pub(crate) struct Moment(u32);

impl Moment {
    /// Returns this moment.
    pub(crate) fn now() -> Self {
        // CAST: Jiffies wrap, and what is older than that does not matter.
        Self(time::jiffies() as u32)
    }

    /// Returns how many jiffies ago it was.
    pub(crate) fn age(self) -> u64 {
        u64::from(Self::now().0.wrapping_sub(self.0))
    }
}

/// Whether data went one way since this was last asked.
///
/// A hint, which may get lost where CPUs meet; its cache line is not written without need.
pub(crate) struct Sign(Atomic<bool>);

impl Sign {
    /// Creates one that is not set.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Sets it.
    #[inline]
    pub(crate) fn set(&self) {
        if !self.0.load(Relaxed) {
            self.0.store(true, Relaxed);
        }
    }

    /// Returns whether it was set, and clears it.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        let was_set = self.0.load(Relaxed);
        if was_set {
            self.0.store(false, Relaxed);
        }
        was_set
    }
}
