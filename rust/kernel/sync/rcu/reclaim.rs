// SPDX-License-Identifier: GPL-2.0

//! A work item that drops values after their grace period, in process context.
//!
//! RCU calls back in softirq context. No type says whether its drop sleeps (`Srcu` of the `kernel`
//! crate does, and a `KVec` of a hundred thousand nodes takes as long). So RCU's callback puts a
//! value that has a destructor on a list, and a work item drops it:
//!
//! ```text
//!   last put --call_rcu_hurry()--> grace period --> defer() --> LIST --> work() --> drop
//! ```
//!
//! The list is linked by the heads, which RCU does not use any more, so it takes no memory. The
//! call that adds a value to an empty list queues the work item.

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

/// The argument of `queue_work_on()` for any CPU.
// CAST: The number of CPUs that the kernel was built for.
const ANY_CPU: c_int = crate::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;

/// The values to drop: each head points to the next one, and to the function that drops its value.
static LIST: AtomicPtr<callback_head> = AtomicPtr::new(null_mut());

/// The work item that empties the list.
struct Item(Opaque<work_struct>);

// SAFETY: The functions for work items may be called on any thread and do their own locking.
unsafe impl Sync for Item {}

static ITEM: Item = Item(Opaque::uninit());

/// Initialises the work item.
///
/// # Safety
///
/// The item must not be pending or running, and no other thread may call [`defer`] or this
/// meanwhile.
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

/// Has the work item call `free` with `head`. Any context.
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
        // Release: the work item sees the value as it is now.
        match LIST.compare_exchange_weak(first, head, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => first = now,
        }
    }
    if first.is_null() {
        // SAFETY: The queue exists for as long as the kernel runs.
        let queue = unsafe { system_dfl_wq };
        // A pending item will find the value on the list, too.
        // SAFETY: The work item is initialised, by the requirements, and a `static`.
        unsafe { queue_work_on(ANY_CPU, queue, ITEM.0.get()) };
    }
}

/// Drops what is on the list.
///
/// # Safety
///
/// Only for [`ITEM`].
unsafe extern "C" fn work(_item: *mut work_struct) {
    // SAFETY: This is the work item.
    unsafe { empty() };
}

/// Drops what is on the list.
///
/// # Safety
///
/// The thread must be allowed to sleep, and run the work item.
unsafe fn empty() {
    let mut next = LIST.swap(null_mut(), Ordering::Acquire);
    while !next.is_null() {
        let head = next;
        // SAFETY: By the requirements of `defer`; taken off the list by this work item alone.
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

/// Returns whether the caller runs in the work item that drops values.
pub(crate) fn is_current() -> bool {
    // SAFETY: No requirements.
    ptr::eq(unsafe { bindings::current_work() }, ITEM.0.get())
}

/// Waits until all values whose last count was put so far have been dropped and freed. Called in
/// the drop of such a value, it drops the other ones instead, as it cannot wait for itself.
///
/// # Safety
///
/// [`init`] must have been called, and the thread be allowed to sleep.
pub(crate) unsafe fn drain() {
    // SAFETY: The thread may sleep.
    unsafe { bindings::rcu_barrier() };
    if is_current() {
        // SAFETY: This is the work item.
        return unsafe { empty() };
    }
    // Another CPU may have put a value on the empty list in `defer` without having queued the item
    // yet; values behind that one do not queue it either. So queue it here. A pending item will
    // find them.
    // SAFETY: The queue exists for as long as the kernel runs.
    let queue = unsafe { system_dfl_wq };
    // SAFETY: The work item is initialised, by the requirements, and a `static`.
    unsafe { queue_work_on(ANY_CPU, queue, ITEM.0.get()) };
    // SAFETY: The work item is initialised, and the thread may sleep.
    unsafe { flush_work(ITEM.0.get()) };
}

/// Returns whether the thread may wait for another thread that waits for values to be dropped, as
/// the drop of a registration does. It may if it may sleep and is not the work item that drops
/// values.
pub(crate) fn may_wait() -> bool {
    may_sleep() && !is_current()
}
