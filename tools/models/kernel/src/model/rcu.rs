// SPDX-License-Identifier: GPL-2.0

//! RCU.
//!
//! What a grace period promises (`Documentation/RCU/Design/Requirements/Requirements.rst`,
//! "Grace-Period Guarantee" and "Memory-Barrier Guarantees"; `tools/memory-model/Documentation/
//! explanation.txt`, "RCU RELATIONS"): for each read-side section and each grace period at least
//! one of these holds.
//!
//! * The section ends before the grace period does, and all that is in it comes before all that
//!   follows the grace period.
//! * The grace period begins before the section does, and all that precedes the grace period comes
//!   before all that is in the section.
//!
//! So here: a grace period waits for the sections that are open when it begins. The end of a
//! section is a release for the end of grace periods, and the beginning of a grace period is a
//! release for the beginning of sections. A section promises nothing else: `rcu_read_lock()` and
//! `rcu_read_unlock()` are no barriers ("Requirements.rst", "Readers Impose Minimal Ordering"),
//! and neither are they here, two sections without a grace period between them order nothing.
//!
//! `call_rcu()` promises that the callback runs after a grace period that begins after the call,
//! and what precedes the call comes before the callback (`Documentation/RCU/rcubarrier.rst` and
//! the comment at `call_rcu()` in `kernel/rcu/tree.c`). One thread runs all callbacks, in their
//! order. Regions with bottom halves off are sections too (`Documentation/RCU/whatisRCU.rst`, 7).

use engine::{
    atomic::{AtomicUsize, Ordering},
    PerRun,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

/// What RCU needs in a value.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct callback_head {
    /// Not used here.
    pub next: *mut callback_head,
    /// Nor this.
    pub func: Option<unsafe extern "C" fn(*mut callback_head)>,
}

type Callback = unsafe extern "C" fn(*mut callback_head);

struct State {
    /// Sections and grace periods begin.
    begin: AtomicUsize,
    /// Sections end, and grace periods look whether they have.
    end: AtomicUsize,
    /// Callbacks are queued and taken.
    queue: AtomicUsize,
    /// The threads with an open section, how deep it is nested, and its number.
    open: RefCell<Vec<(engine::Thread, usize, u64)>>,
    sections: Cell<u64>,
    callbacks: RefCell<VecDeque<(*mut callback_head, Callback)>>,
    queued: Cell<usize>,
    done: Cell<usize>,
}

static STATE: PerRun<State> = PerRun::new();

fn state() -> &'static State {
    STATE.get(|| State {
        begin: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        queue: AtomicUsize::new(0),
        open: RefCell::default(),
        sections: Cell::new(0),
        callbacks: RefCell::default(),
        queued: Cell::new(0),
        done: Cell::new(0),
    })
}

/// Begins a section, or nests it.
pub fn enter() {
    let state = state();
    let me = engine::current();
    let mut is_nested = false;
    for (thread, depth, _) in state.open.borrow_mut().iter_mut() {
        if *thread == me {
            *depth += 1;
            is_nested = true;
        }
    }
    if !is_nested {
        state.begin.fetch_add(0, Ordering::Acquire);
        state.sections.set(state.sections.get() + 1);
        let section = (me, 1, state.sections.get());
        state.open.borrow_mut().push(section);
    }
}

/// Ends a section.
pub fn exit() {
    let state = state();
    let me = engine::current();
    let is_outermost = {
        let mut open = state.open.borrow_mut();
        let (_, depth, _) = open
            .iter_mut()
            .find(|(thread, ..)| *thread == me)
            .expect("a section is open");
        *depth -= 1;
        *depth == 0
    };
    if is_outermost {
        state.end.fetch_add(0, Ordering::Release);
        state.open.borrow_mut().retain(|(thread, ..)| *thread != me);
        engine::wake();
    }
}

/// Returns whether this thread is in a section.
pub fn is_reading() -> bool {
    let me = engine::current();
    state()
        .open
        .borrow()
        .iter()
        .any(|(thread, ..)| *thread == me)
}

fn grace_period() {
    assert!(!is_reading(), "waits for itself");
    let state = state();
    state.begin.fetch_add(1, Ordering::Release);
    let open: Vec<u64> = state.open.borrow().iter().map(|open| open.2).collect();
    engine::block_until(
        || {
            state.end.fetch_add(0, Ordering::Acquire);
        },
        || {
            let now = state.open.borrow();
            !now.iter().any(|(.., section)| open.contains(section))
        },
    );
}

/// Waits for a grace period.
///
/// # Safety
///
/// The thread must be allowed to sleep.
pub unsafe fn synchronize_net() {
    grace_period();
}

/// Has `func` called with `head` after a grace period.
///
/// # Safety
///
/// As in C.
pub unsafe fn call_rcu_hurry(head: *mut callback_head, func: Option<Callback>) {
    let state = state();
    state.queue.fetch_add(1, Ordering::Release);
    let func = func.expect("there is a function");
    state.callbacks.borrow_mut().push_back((head, func));
    state.queued.set(state.queued.get() + 1);
    engine::wake();
}

/// Looks at what [`is_idle`] depends on.
pub fn look() {
    state().queue.fetch_add(0, Ordering::Acquire);
}

/// Returns whether all callbacks have run.
pub fn is_idle() -> bool {
    state().done.get() == state().queued.get()
}

/// Runs callbacks until `is_over` holds and there are none. `is_over` may change right after an
/// access to what `look` reads only.
pub fn serve(look: impl Fn(), is_over: impl Fn() -> bool) {
    let state = state();
    loop {
        engine::block_until(
            || {
                look();
                state.queue.fetch_add(0, Ordering::Acquire);
            },
            || is_over() || !state.callbacks.borrow().is_empty(),
        );
        let Some((head, func)) = state.callbacks.borrow_mut().pop_front() else {
            return;
        };
        grace_period();
        // Callbacks run with bottom halves off, which is a section.
        enter();
        // SAFETY: By the requirements of `call_rcu_hurry`.
        unsafe { func(head) };
        exit();
        state.queue.fetch_add(0, Ordering::Release);
        state.done.set(state.done.get() + 1);
        engine::wake();
    }
}

/// Waits until the callbacks that are queued now have run.
pub fn rcu_barrier() {
    let state = state();
    let look = || {
        state.queue.fetch_add(0, Ordering::AcqRel);
    };
    look();
    let queued = state.queued.get();
    engine::block_until(look, || state.done.get() >= queued);
}
