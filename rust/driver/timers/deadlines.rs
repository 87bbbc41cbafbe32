// SPDX-License-Identifier: GPL-2.0

//! When the timers of a peer expire.
//!
//! The kernel timer expires late, by up to an eighth of the time that it was armed for, as the
//! timer wheel rounds that up (`kernel/time/timer.c`). With 250 ticks a second a timer for 540 s
//! may be 16 s late, and must not hold up one for 5 s. [`Armed`] knows by when the kernel timer
//! surely expires, and a deadline before that arms it anew.

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
    sync::{
        lock::SpinLock,
        ReadOnce, //
    }, //
};
use wg_proto::timers::PeerTimer;

/// A timer that is not pending.
const IDLE: u64 = 0;

/// Returns the most by which the wheel rounds up a time of `after` jiffies: 8 of 63 where one of
/// its levels begins, and the jiffy that has begun.
const fn rounding(after: u64) -> u64 {
    (after >> 3) + (after >> 6) + 2
}

/// What the kernel timer is armed for, in jiffies.
struct Armed {
    /// The time that it was given.
    at: u64,
    /// By when it surely expires.
    by: u64,
}

impl Armed {
    /// A kernel timer that is idle.
    const NO: Self = Self {
        at: u64::MAX,
        by: u64::MAX,
    };

    /// Returns the time for which the kernel timer must be armed, if `deadline` asks for that.
    fn cover(&mut self, deadline: u64, now: u64) -> Option<u64> {
        if deadline >= self.by {
            return None;
        }
        // Not the time that it has: mod_timer() leaves the timer where it is on the wheel then.
        let at = deadline.min(self.at.saturating_sub(1));
        self.at = at;
        self.by = at.saturating_add(rounding(at.saturating_sub(now)));
        Some(at)
    }
}

/// The times in jiffies at which the timers of a peer expire, by [`PeerTimer`].
#[pin_data]
pub(crate) struct Deadlines {
    /// Set and taken under `armed`; read and cleared by any CPU.
    times: [Atomic<u64>; PeerTimer::ALL.len()],
    #[pin]
    armed: SpinLock<Armed>,
}

impl Deadlines {
    /// Creates those of timers that are not pending.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            times: [const { Atomic::new(IDLE) }; PeerTimer::ALL.len()],
            armed <- new_spinlock!(Armed::NO),
        })
    }

    fn of(&self, timer: PeerTimer) -> &Atomic<u64> {
        let [retransmit, keepalive, handshake, zero, persistent] = &self.times;
        match timer {
            PeerTimer::RetransmitHandshake => retransmit,
            PeerTimer::SendKeepalive => keepalive,
            PeerTimer::NewHandshake => handshake,
            PeerTimer::ZeroKeys => zero,
            PeerTimer::PersistentKeepalive => persistent,
        }
    }

    /// Sets the deadline of a timer. If the kernel timer could expire after it, calls `arm` with
    /// the kernel timer's new expiry.
    pub(crate) fn set(
        &self,
        timer: PeerTimer,
        deadline: u64,
        now: u64,
        bh: &Bh<'_>,
        arm: impl FnOnce(u64),
    ) {
        // Another CPU set the same one, and sees to the kernel timer.
        if self.of(timer).read_once() == deadline {
            return;
        }
        let mut armed = self.armed.lock(bh);
        self.of(timer).store(deadline, Relaxed);
        if let Some(at) = armed.cover(deadline, now) {
            arm(at);
        }
    }

    /// Returns whether a timer is pending.
    #[inline]
    pub(crate) fn is_set(&self, timer: PeerTimer) -> bool {
        self.of(timer).read_once() != IDLE
    }

    /// Stops a timer. The kernel timer stays armed, and may expire for nothing.
    pub(crate) fn clear(&self, timer: PeerTimer) {
        // Mostly it is idle, and then its cache line stays where it is.
        if self.is_set(timer) {
            self.of(timer).store(IDLE, Relaxed);
        }
    }

    /// Notes that the kernel timer is idle.
    pub(crate) fn stopped(&self, bh: &Bh<'_>) {
        *self.armed.lock(bh) = Armed::NO;
    }

    /// Stops each timer whose deadline has passed, then calls `expired` for it. At last calls `arm`
    /// for the others, as [`set`](Self::set) does.
    ///
    /// For the callback of the kernel timer.
    pub(crate) fn expire(
        &self,
        now: u64,
        bh: &Bh<'_>,
        mut expired: impl FnMut(PeerTimer),
        arm: impl FnOnce(u64),
    ) {
        self.stopped(bh);
        for timer in PeerTimer::ALL {
            if self.take_passed(timer, now, bh) {
                expired(timer);
            }
        }
        let mut armed = self.armed.lock(bh);
        let times = self.times.iter().map(|time| time.read_once());
        if let Some(next) = times.filter(|at| *at != IDLE).min() {
            if let Some(at) = armed.cover(next, now) {
                arm(at);
            }
        }
    }

    fn take_passed(&self, timer: PeerTimer, now: u64, bh: &Bh<'_>) -> bool {
        let _armed = self.armed.lock(bh);
        let at = self.of(timer).read_once();
        // Not yet when equal: the tick in which it was set had begun before.
        let is_passed = at != IDLE && at < now;
        if is_passed {
            self.of(timer).store(IDLE, Relaxed);
        }
        is_passed
    }
}
