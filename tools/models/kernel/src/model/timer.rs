// SPDX-License-Identifier: GPL-2.0

//! Timers of the timer wheel (`kernel/time/timer.c`).
//!
//! * `mod_timer()` and expiry change whether a timer is pending, under the lock of its base.
//! * Expiry takes the timer off before it calls the function (`expire_timers()`): from then on it
//!   can be armed again.
//! * `timer_pending()` looks without the lock (`include/linux/timer.h`).
//!
//! * The wheel rounds the time that a timer is armed for up by up to an eighth of it, and expires it
//!   after that time, never in the jiffy itself (`calc_index()`).
//!
//! A timer may expire as soon as it is armed: the model has jiffies pass then, as many as it was
//! armed for, and an eighth more.

use super::softirq;
use engine::{
    atomic::{AtomicBool, AtomicUsize, Ordering},
    Lock, PerRun,
};
use std::cell::{Cell, RefCell};

type Expire = Box<dyn FnOnce()>;

/// A timer.
pub struct Timer {
    pending: AtomicBool,
}

struct Pending {
    timer: *const Timer,
    /// The time that it is armed for.
    given: u64,
    /// When it expires.
    expires: u64,
    expire: Expire,
}

struct State {
    lock: Lock,
    /// Timers are armed, and looked for.
    change: AtomicUsize,
    jiffies: Cell<u64>,
    pending: RefCell<Vec<Pending>>,
}

static STATE: PerRun<State> = PerRun::new();

fn state() -> &'static State {
    STATE.get(|| State {
        lock: Lock::new(),
        change: AtomicUsize::new(0),
        jiffies: Cell::new(1_000_000),
        pending: RefCell::default(),
    })
}

/// Returns the jiffies.
pub fn jiffies() -> u64 {
    state().jiffies.get()
}

/// Has jiffies pass.
pub fn pass(jiffies: u64) {
    let now = &state().jiffies;
    now.set(now.get() + jiffies);
}

impl Timer {
    /// Makes one that is idle.
    pub fn new() -> Self {
        Self {
            pending: AtomicBool::new(false),
        }
    }

    /// Returns whether it is pending at some moment.
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    /// Arms it for a time, or arms it anew; returns whether it was idle. For the time that it has,
    /// it stays where it is on the wheel.
    pub fn arm_at(&self, given: u64, expire: Expire) -> bool {
        let state = state();
        let this: *const Self = self;
        state.lock.acquire();
        let after = given.saturating_sub(state.jiffies.get());
        let expires = given + after / 8 + 1;
        let is_idle = {
            let mut pending = state.pending.borrow_mut();
            match pending.iter_mut().find(|other| other.timer == this) {
                Some(mine) => {
                    if mine.given != given {
                        (mine.given, mine.expires) = (given, expires);
                    }
                    false
                }
                None => {
                    pending.push(Pending {
                        timer: self,
                        given,
                        expires,
                        expire,
                    });
                    true
                }
            }
        };
        self.pending.store(true, Ordering::Relaxed);
        state.lock.release();
        state.change.fetch_add(1, Ordering::Relaxed);
        engine::wake();
        is_idle
    }
}

/// Has timers expire until `is_over` holds and none is pending.
pub fn serve(look: impl Fn(), is_over: impl Fn() -> bool) {
    let state = state();
    loop {
        engine::block_until(
            || {
                look();
                state.change.fetch_add(0, Ordering::Relaxed);
            },
            || is_over() || !state.pending.borrow().is_empty(),
        );
        state.lock.acquire();
        let next = {
            let mut pending = state.pending.borrow_mut();
            let first = (0..pending.len()).min_by_key(|nth| pending[*nth].expires);
            first.map(|first| pending.swap_remove(first))
        };
        let Some(next) = next else {
            state.lock.release();
            return;
        };
        // SAFETY: A pending timer is there.
        unsafe { &*next.timer }
            .pending
            .store(false, Ordering::Relaxed);
        state.jiffies.set(state.jiffies.get().max(next.expires));
        state.lock.release();
        softirq::raise(next.expire);
        softirq::run();
        // Jiffies pass until a timer expires again, so that others go on.
        engine::pause();
    }
}
