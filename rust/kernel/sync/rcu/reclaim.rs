// SPDX-License-Identifier: GPL-2.0

//! Dropping values after their grace period, where a drop may sleep.
//!
//! RCU calls back in softirq context. Nothing in a type says whether its drop sleeps (`Srcu` of the
//! `kernel` crate does, and a `KVec` of a hundred thousand nodes takes as long), so a value that
//! has anything to drop is put on a list there, and a worker drops it:
//!
//! ```text
//!   last put --call_rcu_hurry()--> grace period --> defer() --> LIST --> work() --> drop
//! ```
//!
//! The list goes through the heads that RCU is done with, and takes no memory. A value
//! that comes to an empty list queues the work item.

use crate::bindings::{
    callback_head,
    flush_work,
    init_work_with_key,
    queue_work_on,
    system_dfl_wq,
    work_struct, //
};
use crate::{
    bindings,
    context::may_sleep,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use core::ptr::{
    self,
    null_mut, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    static_lock_class,
    types::Opaque, //
};

/// Stands for no CPU in particular.
// CAST: The number of CPUs that the kernel was built for.
const ANY_CPU: c_int = crate::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;

/// What waits to be dropped: each head leads to the next one, and has the function that drops it.
static LIST: AtomicPtr<callback_head> = AtomicPtr::new(null_mut());

/// The work item that empties the list.
struct Item(Opaque<work_struct>);

// SAFETY: The functions for work items may be called on any thread and do their own locking.
unsafe impl Sync for Item {}

static ITEM: Item = Item(Opaque::uninit());

/// Makes the work item ready.
///
/// # Safety
///
/// It must not be pending or running, and nobody else may call [`defer`] or this meanwhile.
pub(super) unsafe fn init() {
    // SAFETY: Valid for writes, by the requirements; the name and the key live forever.
    unsafe {
        init_work_with_key(
            ITEM.0.get(),
            Some(work),
            false,
            c"kext::rcu".as_char_ptr(),
            static_lock_class!().as_ptr().cast(),
        )
    };
}

/// Has a worker call `free` with `head`. May be called in any context.
///
/// # Safety
///
/// [`init`] must have been called. `head` must be valid and the caller's to give, and `free`
/// callable with it, until [`drain`] has returned.
pub(super) unsafe fn defer(
    head: *mut callback_head,
    free: unsafe extern "C" fn(*mut callback_head),
) {
    // SAFETY: By the requirements.
    unsafe { (*head).func = Some(free) };
    let mut first = LIST.load(Ordering::Relaxed);
    loop {
        // SAFETY: As above; not on the list yet.
        unsafe { (*head).next = first };
        // Release: the worker sees the value as it is now.
        match LIST.compare_exchange_weak(first, head, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => first = now,
        }
    }
    if first.is_null() {
        // SAFETY: The queue is there for as long as the kernel is.
        let queue = unsafe { system_dfl_wq };
        // If it is pending already, it will find what was put on the list.
        // SAFETY: The work item is initialised, by the requirements, and a `static`.
        unsafe { queue_work_on(ANY_CPU, queue, ITEM.0.get()) };
    }
}

/// Drops what is on the list.
///
/// # Safety
///
/// Only for the worker of [`ITEM`].
unsafe extern "C" fn work(_item: *mut work_struct) {
    // SAFETY: This is the worker.
    unsafe { empty() };
}

/// Drops what is on the list.
///
/// # Safety
///
/// The thread must be allowed to sleep, and be the worker.
unsafe fn empty() {
    let mut next = LIST.swap(null_mut(), Ordering::Acquire);
    while !next.is_null() {
        let head = next;
        // SAFETY: By the requirements of `defer`; taken off the list by this worker alone.
        next = unsafe { (*head).next };
        // SAFETY: As above.
        if let Some(free) = unsafe { (*head).func } {
            // SAFETY: As above. `head` is not used again.
            unsafe { free(head) };
        }
        // SAFETY: Workers may sleep.
        unsafe { bindings::cond_resched() };
    }
}

/// Returns whether this is the worker that drops values.
pub(crate) fn is_current() -> bool {
    // SAFETY: No requirements.
    ptr::eq(unsafe { bindings::current_work() }, ITEM.0.get())
}

/// Waits until the values are gone whose last count was put so far. Within the drop of such a
/// value, it drops the others instead of waiting for itself.
///
/// # Safety
///
/// [`init`] must have been called, and the thread be allowed to sleep.
pub(crate) unsafe fn drain() {
    // SAFETY: The thread may sleep.
    unsafe { bindings::rcu_barrier() };
    if is_current() {
        // SAFETY: This is the worker.
        return unsafe { empty() };
    }
    // A value may lie on the list behind one whose `defer` has not come to queue the item yet. If
    // the item is pending, it will find that value.
    // SAFETY: The queue is there for as long as the kernel is.
    let queue = unsafe { system_dfl_wq };
    // SAFETY: The work item is initialised, by the requirements, and a `static`.
    unsafe { queue_work_on(ANY_CPU, queue, ITEM.0.get()) };
    // SAFETY: The work item is initialised, and the thread may sleep.
    unsafe { flush_work(ITEM.0.get()) };
}

/// Returns whether the thread may wait for others that wait for values to be gone, as the end of a
/// registration does: it may sleep, and is not the worker that drops these values.
pub(crate) fn may_wait() -> bool {
    may_sleep() && !is_current()
}
