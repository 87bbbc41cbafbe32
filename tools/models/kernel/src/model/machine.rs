// SPDX-License-Identifier: GPL-2.0

//! CPUs, a thread that runs the callbacks of RCU, and a worker.

use super::{rcu, timer, workqueue};
use engine::{
    atomic::{AtomicUsize, Ordering},
    PerRun,
};
use std::cell::Cell;

struct State {
    change: AtomicUsize,
    /// CPUs that have something to do, and the other threads.
    busy: Cell<usize>,
    others: Cell<usize>,
    is_over: Cell<bool>,
}

static STATE: PerRun<State> = PerRun::new();

fn state() -> &'static State {
    STATE.get(|| State {
        change: AtomicUsize::new(0),
        busy: Cell::new(0),
        others: Cell::new(0),
        is_over: Cell::new(false),
    })
}

fn look() {
    state().change.fetch_add(0, Ordering::Acquire);
}

fn look_at_all() {
    look();
    rcu::look();
}

/// Nothing comes any more but of what is already on its way.
fn is_over() -> bool {
    state().is_over.get() && rcu::is_idle()
}

fn count(which: &'static Cell<usize>, run: impl FnOnce() + Send + 'static) {
    struct Shared(&'static Cell<usize>);
    // SAFETY: Threads take turns.
    unsafe impl Send for Shared {}
    which.set(which.get() + 1);
    let which = Shared(which);
    engine::spawn(move || {
        let which = which;
        run();
        state().change.fetch_add(1, Ordering::Release);
        which.0.set(which.0.get() - 1);
        engine::wake();
    });
}

/// A machine that runs.
pub struct Machine(());

impl Machine {
    /// Starts a machine without a worker.
    pub fn new() -> Self {
        state().is_over.set(false);
        Self(())
    }

    /// Adds a worker that runs work items.
    pub fn with_worker(self) -> Self {
        count(&state().others, || {
            workqueue::serve(look_at_all, is_over);
        });
        self
    }

    /// Adds a CPU on which timers expire.
    pub fn with_timers(self) -> Self {
        count(&state().others, || {
            timer::serve(look_at_all, is_over);
        });
        self
    }

    /// Has a CPU do something.
    pub fn cpu(self, run: impl FnOnce() + Send + 'static) -> Self {
        count(&state().busy, run);
        self
    }

    /// Runs callbacks on this thread until all CPUs are through, then lets the others finish, and
    /// runs the callbacks that came of that.
    pub fn finish(self) {
        let state = state();
        rcu::serve(look, || state.busy.get() == 0);
        state.change.fetch_add(1, Ordering::Release);
        state.is_over.set(true);
        engine::wake();
        rcu::serve(look, || state.others.get() == 0);
    }
}
