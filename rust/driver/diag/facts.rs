// SPDX-License-Identifier: GPL-2.0

//! What is known of the handshakes with a peer.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Relaxed,
    Release, //
};
use kext::{
    compat::casts::u32_as_usize,
    math,
    time, //
};

const NSEC_PER_USEC: u32 = 1_000;
const MINUTE: u64 = 60_000_000_000;

/// Moves of the endpoint that are remembered.
const MOVES: usize = 4;

/// Why the last sessions of a peer ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// No session has ended yet, or none is known.
    No = 0,
    /// No response came.
    GaveUp = 1,
    /// It grew too old.
    Expired = 2,
    /// Dropped by the configuration, a suspended machine, or an interface that went down.
    Reset = 3,
}

/// How the endpoint was learnt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learnt {
    /// Nothing: it is not known.
    Not = 0,
    /// User space.
    Configuration = 1,
    /// An initiation.
    Initiation = 2,
    /// A response.
    Response = 3,
    /// A data message.
    Data = 4,
}

/// What is known of the handshakes with a peer. Made at the first one.
pub(super) struct Facts {
    begun: Atomic<u32>,
    answered: Atomic<u32>,
    completed: Atomic<u32>,
    given_up: Atomic<u32>,
    /// Initiations since the last answer.
    tries: Atomic<u32>,
    /// Cookie replies since then.
    cookies: Atomic<u32>,
    ended: Atomic<u32>,
    /// When the first of `tries` was sent.
    series: Atomic<u64>,
    /// When the last initiation was sent.
    initiated: Atomic<u64>,
    /// The same in `CLOCK_MONOTONIC`, to measure the round trip.
    initiated_exactly: Atomic<u64>,
    /// Microseconds from the last initiation that was answered to its response.
    round_trip: Atomic<u64>,
    /// When the endpoint moved the last times, one after the other in a ring.
    moves: [Atomic<u64>; MOVES],
    /// How often it has.
    moved: Atomic<u32>,
}

/// The counters of [`Facts`].
pub(super) struct Counts {
    pub(super) begun: u32,
    pub(super) answered: u32,
    pub(super) completed: u32,
    pub(super) given_up: u32,
}

impl Facts {
    /// Creates the facts of a peer that nothing is known of.
    pub(super) const fn new() -> Self {
        Self {
            begun: Atomic::new(0),
            answered: Atomic::new(0),
            completed: Atomic::new(0),
            given_up: Atomic::new(0),
            tries: Atomic::new(0),
            cookies: Atomic::new(0),
            ended: Atomic::new(0),
            series: Atomic::new(0),
            initiated: Atomic::new(0),
            initiated_exactly: Atomic::new(0),
            round_trip: Atomic::new(0),
            moves: [const { Atomic::new(0) }; MOVES],
            moved: Atomic::new(0),
        }
    }

    /// Notes that an initiation is sent. Returns how many were sent since the last answer.
    ///
    /// The protocol's own count of retries begins anew with each packet that wants a session.
    pub(super) fn note_initiated(&self) -> u32 {
        let now = time::boottime_coarse();
        self.begun.fetch_add(1, Relaxed);
        // Only one work item sends initiations.
        if self.tries.load(Relaxed) == 0 {
            self.series.store(now, Relaxed);
            self.cookies.store(0, Relaxed);
        }
        let earlier = self.tries.fetch_add(1, Release);
        self.initiated.store(now, Relaxed);
        // CAST: This clock begins at zero.
        self.initiated_exactly
            .store(time::monotonic() as u64, Relaxed);
        earlier.saturating_add(1)
    }

    /// Notes that the initiations so far are no trouble any more.
    pub(super) fn forget_tries(&self) {
        self.tries.store(0, Relaxed);
        if self.ended() == Ended::GaveUp {
            self.end(Ended::No);
        }
    }

    /// Notes that a cookie has come. One that answers a response of ours belongs to no initiation.
    pub(super) fn note_cookie(&self) {
        if self.tries.load(Relaxed) != 0 {
            self.cookies.fetch_add(1, Relaxed);
        }
    }

    /// Notes that a response is sent.
    pub(super) fn note_answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// Notes that the response to the last initiation has come.
    pub(super) fn note_response(&self) {
        self.forget_tries();
        // CAST: As above.
        let now = time::monotonic() as u64;
        let passed = now.saturating_sub(self.initiated_exactly.load(Relaxed));
        // At least one, as zero says that nothing is known.
        self.round_trip
            .store(math::div::<NSEC_PER_USEC>(passed).max(1), Relaxed);
    }

    /// Returns whether there ever was a session.
    pub(super) fn had_session(&self) -> bool {
        self.completed.load(Relaxed) != 0
    }

    /// Notes that a session can be used in both directions.
    pub(super) fn note_completed(&self) {
        self.completed.fetch_add(1, Relaxed);
        self.forget_tries();
        self.end(Ended::No);
    }

    /// Notes that no response came for long. Returns how many initiations were sent since the last
    /// answer.
    pub(super) fn note_given_up(&self) -> u32 {
        self.given_up.fetch_add(1, Relaxed);
        self.end(Ended::GaveUp);
        self.tries.load(Relaxed)
    }

    /// Notes why sessions have ended.
    pub(super) fn end(&self, why: Ended) {
        // CAST: The discriminant of a small enum.
        self.ended.store(why as u32, Relaxed);
    }

    /// Returns why the last sessions have ended.
    pub(super) fn ended(&self) -> Ended {
        match self.ended.load(Relaxed) {
            1 => Ended::GaveUp,
            2 => Ended::Expired,
            3 => Ended::Reset,
            _ => Ended::No,
        }
    }

    /// Notes that an authentic message has moved the endpoint.
    pub(super) fn note_moved(&self) {
        let nth = u32_as_usize(self.moved.fetch_add(1, Relaxed));
        if let Some(place) = self.moves.get(nth % MOVES) {
            place.store(time::boottime_coarse(), Relaxed);
        }
    }

    /// Returns how often that was in the last minute, as far as it is remembered.
    pub(super) fn recent_moves(&self) -> u32 {
        let start = time::boottime_coarse().saturating_sub(MINUTE).max(1);
        let recent = self.moves.iter().filter(|at| at.load(Relaxed) >= start);
        // CAST: At most `MOVES`.
        recent.count() as u32
    }

    /// Returns the counters.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            begun: self.begun.load(Relaxed),
            answered: self.answered.load(Relaxed),
            completed: self.completed.load(Relaxed),
            given_up: self.given_up.load(Relaxed),
        }
    }

    /// Returns how many initiations were sent since the last answer.
    ///
    /// The time of the first of them is stored before.
    pub(super) fn tries(&self) -> u32 {
        self.tries.load(Acquire)
    }

    /// Returns how many cookie replies have come since then.
    pub(super) fn cookies(&self) -> u32 {
        self.cookies.load(Relaxed)
    }

    /// Returns when the first initiation after the last answer was sent, in nanoseconds since boot.
    pub(super) fn series(&self) -> u64 {
        self.series.load(Relaxed)
    }

    /// Returns when the last initiation was sent, in nanoseconds since boot.
    pub(super) fn initiated(&self) -> Option<u64> {
        Some(self.initiated.load(Relaxed)).filter(|at| *at != 0)
    }

    /// Returns the microseconds from the last initiation that was answered to its response.
    pub(super) fn round_trip(&self) -> Option<u64> {
        Some(self.round_trip.load(Relaxed)).filter(|us| *us != 0)
    }
}
