// SPDX-License-Identifier: GPL-2.0

//! NAPI (`Documentation/networking/napi.rst`, "Scheduling and IRQ masking" and "Software IRQ
//! coalescing"; the state machine is that of `net/core/dev.c`).
//!
//! * `napi_schedule_prep()`: the caller that sets `SCHED` has the poll run on its CPU. A caller
//!   that finds it set sets `MISSED`, and leaves it to the poll that runs. Both by a fully ordered
//!   `try_cmpxchg()`.
//! * A poll that used all of its budget keeps `SCHED`, and is polled again.
//! * `napi_complete_done()` clears `SCHED`, or has the poll run once more if `MISSED` was set; by
//!   a fully ordered `try_cmpxchg()`, too.
//! * The poll of one context runs on one CPU at a time: it is the one that owns `SCHED`.

use super::softirq;
use engine::atomic::{fence, AtomicU32, Ordering};

const SCHED: u32 = 1;
const MISSED: u32 = 2;
const DISABLE: u32 = 4;

/// A context.
pub struct Napi {
    state: AtomicU32,
}

fn update(state: &AtomicU32, change: impl Fn(u32) -> Option<u32>) -> Option<u32> {
    let mut old = state.load(Ordering::Relaxed);
    loop {
        let new = change(old)?;
        fence(Ordering::SeqCst);
        match state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => {
                fence(Ordering::SeqCst);
                return Some(old);
            }
            Err(now) => old = now,
        }
    }
}

impl Napi {
    /// Creates an enabled, idle NAPI context.
    pub fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
        }
    }

    /// Has `poll` run soon, on this CPU unless it is to run already. It returns whether it has to
    /// be called again.
    ///
    /// # Safety
    ///
    /// `self` must stay until no poll is to come.
    pub unsafe fn schedule(&self, poll: impl Fn() -> bool + Clone + 'static) {
        let old = update(&self.state, |old| {
            if old & DISABLE != 0 {
                return None;
            }
            let missed = if old & SCHED != 0 { MISSED } else { 0 };
            Some(old | SCHED | missed)
        });
        if old.is_some_and(|old| old & SCHED == 0) {
            again(poll);
            softirq::run();
        }
    }

    /// Ends a poll that did not use its budget; returns whether it has to be called again.
    pub fn complete(&self) -> bool {
        let old = update(&self.state, |old| {
            let again = if old & MISSED != 0 { SCHED } else { 0 };
            Some(old & !(MISSED | SCHED) | again)
        });
        old.is_some_and(|old| old & MISSED != 0)
    }
}

fn again(poll: impl Fn() -> bool + Clone + 'static) {
    softirq::raise(move || {
        if poll() {
            again(poll);
        }
    });
}
