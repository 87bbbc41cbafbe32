// SPDX-License-Identifier: GPL-2.0

//! Executions and their threads.

use crate::memory::sweep;
use loom::thread;
use std::sync::{
    atomic::{AtomicU64, AtomicUsize, Ordering},
    Mutex, PoisonError,
};

/// Bytes of stack of a thread: what handshakes compute needs more than is usual. (loom counts
/// words.)
const STACK: usize = 256 << 10;

/// The number of this execution.
static NUMBER: AtomicU64 = AtomicU64::new(1);
/// One model at a time: the files under test have statics.
static TURN: Mutex<()> = Mutex::new(());
/// The threads that wait for something.
static WAITING: Mutex<Vec<thread::Thread>> = Mutex::new(Vec::new());

pub(crate) fn number() -> u64 {
    NUMBER.load(Ordering::Relaxed)
}

/// How much of a model is looked at.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// How often loom takes the CPU away from a thread that could go on; all if [`None`].
    pub preemptions: Option<usize>,
}

/// Runs the model under as many of its schedules.
pub fn explore_with(bounds: Bounds, model: impl Fn() + Send + Sync + 'static) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Drops would go on with the execution, and panic again: the process ends with the first.
    std::panic::set_hook(Box::new(|info| {
        println!("{info}");
        println!("after {} executions", TIMES.load(Ordering::Relaxed));
        std::process::exit(101);
    }));
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    TIMES.store(0, Ordering::Relaxed);
    let execution = move || {
        NUMBER.fetch_add(1, Ordering::Relaxed);
        TIMES.fetch_add(1, Ordering::Relaxed);
        sweep();
        for old in WAITING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            std::mem::forget(old);
        }
        crate::atomic::fill();
        model();
    };
    check(bounds, execution);
    println!("{} executions", TIMES.load(Ordering::Relaxed));
}

fn check(bounds: Bounds, execution: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = bounds.preemptions;
    }
    builder.check(execution);
}

/// Starts a thread of the execution. No other thread joins it: loom has a debug message in that.
pub fn spawn(run: impl FnOnce() + Send + 'static) {
    drop(
        thread::Builder::new()
            .stack_size(STACK / size_of::<usize>())
            .spawn(run),
    );
}

/// Waits until `condition` holds, which must change right after an atomic access; then [`wake`]
/// follows. `look` is an access to the same atomic, so that each order of the two is tried.
pub fn block_until(look: impl Fn(), condition: impl Fn() -> bool) {
    loop {
        look();
        if condition() {
            return;
        }
        WAITING
            .lock()
            .expect("held for moments only")
            .push(thread::current());
        thread::park();
    }
}

/// Has all threads that wait look again.
pub fn wake() {
    let waiting = std::mem::take(&mut *WAITING.lock().expect("held for moments only"));
    for thread in waiting {
        thread.unpark();
    }
}

/// A thread's identity.
pub type Thread = thread::ThreadId;

/// Returns this thread's.
pub fn current() -> Thread {
    thread::current().id()
}

/// Lets others run first.
pub fn pause() {
    thread::yield_now();
}
