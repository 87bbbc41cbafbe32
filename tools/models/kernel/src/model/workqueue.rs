// SPDX-License-Identifier: GPL-2.0

//! Workqueues (`Documentation/core-api/workqueue.rst`, and the comments in `kernel/workqueue.c`).
//!
//! * An item is pending or idle; `queue_work_on()` sets the bit by `test_and_set_bit()`, which is
//!   fully ordered, and puts the item on a list under the lock of the pool.
//! * A worker takes it off under that lock. `set_work_pool_and_clear_pending()` has a full barrier
//!   after the bit is cleared, and before the function runs. So what a caller wrote before it
//!   found the bit set is seen by the function, although this call queued nothing.
//! * One item is run by one worker at a time (`find_worker_executing_work()`): here there is one
//!   worker, so this holds trivially.
//! * `flush_work()` waits until the instance that was last queued is through.

use engine::{
    atomic::{fence, AtomicBool, AtomicUsize, Ordering},
    PerRun,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ffi::c_char,
};

type Function = unsafe extern "C" fn(*mut work_struct);

/// A work item.
#[allow(non_camel_case_types)]
pub struct work_struct {
    pending: AtomicBool,
    func: Function,
}

/// A queue: all are the same.
#[allow(non_camel_case_types)]
pub struct workqueue_struct;

/// The system's queue.
#[allow(non_upper_case_globals)]
pub static mut system_dfl_wq: *mut workqueue_struct = std::ptr::null_mut();

struct State {
    /// The pool's lock, and what it covers.
    lock: AtomicUsize,
    list: RefCell<VecDeque<*mut work_struct>>,
    running: Cell<*mut work_struct>,
    worker: RefCell<Option<engine::Thread>>,
    /// How many were queued and are through.
    queued: Cell<usize>,
    done: Cell<usize>,
}

static STATE: PerRun<State> = PerRun::new();

fn state() -> &'static State {
    STATE.get(|| State {
        lock: AtomicUsize::new(0),
        list: RefCell::default(),
        running: Cell::new(std::ptr::null_mut()),
        worker: RefCell::default(),
        queued: Cell::new(0),
        done: Cell::new(0),
    })
}

impl State {
    /// Takes the lock for what comes right after, without a switch to another thread.
    fn lock(&self) {
        self.lock.fetch_add(0, Ordering::AcqRel);
    }
}

/// # Safety
///
/// `work` must be valid for writes, and not pending.
pub unsafe fn init_work_with_key(
    work: *mut work_struct,
    func: Option<Function>,
    _on_stack: bool,
    _name: *const c_char,
    _key: *mut (),
) {
    let work_struct = work_struct {
        pending: AtomicBool::new(false),
        func: func.expect("there is a function"),
    };
    // SAFETY: By the requirements.
    unsafe { work.write(work_struct) };
}

/// # Safety
///
/// `work` must be initialised, and stay until its function is called.
pub unsafe fn queue_work_on(
    _cpu: i32,
    _queue: *mut workqueue_struct,
    work: *mut work_struct,
) -> bool {
    // SAFETY: By the requirements.
    let pending = unsafe { &(*work).pending };
    fence(Ordering::SeqCst);
    let was_pending = pending.swap(true, Ordering::AcqRel);
    fence(Ordering::SeqCst);
    if was_pending {
        return false;
    }
    let state = state();
    state.lock();
    state.list.borrow_mut().push_back(work);
    state.queued.set(state.queued.get() + 1);
    engine::wake();
    true
}

/// Runs items until `is_over` holds and none is left. `is_over` may change right after an access to
/// what `look` reads only.
pub fn serve(look: impl Fn(), is_over: impl Fn() -> bool) {
    let state = state();
    *state.worker.borrow_mut() = Some(engine::current());
    loop {
        engine::block_until(
            || {
                look();
                state.lock();
            },
            || is_over() || !state.list.borrow().is_empty(),
        );
        let Some(work) = state.list.borrow_mut().pop_front() else {
            return;
        };
        state.running.set(work);
        // SAFETY: By the requirements of `queue_work_on`.
        let func = unsafe { (*work).func };
        // SAFETY: As above.
        unsafe { &(*work).pending }.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
        // SAFETY: By the requirements of `init_work_with_key`.
        unsafe { func(work) };
        state.lock();
        state.running.set(std::ptr::null_mut());
        state.done.set(state.done.get() + 1);
        engine::wake();
    }
}

/// Waits until the instance of an item that was last queued is through. Items run in their order,
/// so that this is when all are that were queued before.
///
/// # Safety
///
/// The thread must be allowed to sleep.
pub unsafe fn flush_work(_work: *mut work_struct) -> bool {
    let state = state();
    state.lock();
    let queued = state.queued.get();
    engine::block_until(|| state.lock(), || state.done.get() >= queued);
    true
}

/// Returns the item that this thread runs.
///
/// # Safety
///
/// None.
pub unsafe fn current_work() -> *mut work_struct {
    let state = state();
    if *state.worker.borrow() == Some(engine::current()) {
        state.running.get()
    } else {
        std::ptr::null_mut()
    }
}
