// SPDX-License-Identifier: GPL-2.0

//! Work items in counted values, as `rust/kernel/workqueue.rs` has them.

use crate::{context::Process, sync::rcu::RcuArc};
use kernel::{
    bindings::{init_work_with_key, queue_work_on, work_struct},
    types::Opaque,
};
use std::cell::Cell;

/// A queue.
pub struct Queue;

/// What an item does.
pub trait WorkItem<const ID: usize>: Send + Sync + Sized + 'static {
    /// Called once for each time that it was enqueued.
    fn run(this: RcuArc<Self>, process: &mut Process);
}

/// An item in a `T`.
#[repr(C)]
pub struct Work<T, const ID: usize> {
    work: Opaque<work_struct>,
    is_ready: Cell<bool>,
    owner: Cell<*const T>,
}

// SAFETY: Threads take turns.
unsafe impl<T, const ID: usize> Send for Work<T, ID> {}
// SAFETY: As above.
unsafe impl<T, const ID: usize> Sync for Work<T, ID> {}

/// Makes an item.
#[macro_export]
macro_rules! new_work {
    () => {
        $crate::workqueue::Work::new()
    };
}

impl<T: WorkItem<ID>, const ID: usize> Work<T, ID> {
    /// Makes it.
    pub fn new() -> Self {
        Self {
            work: Opaque::uninit(),
            is_ready: Cell::new(false),
            owner: Cell::new(std::ptr::null()),
        }
    }

    unsafe extern "C" fn callback(work: *mut work_struct) {
        let this: *const Self = work.cast();
        // SAFETY: The count of the pending instance keeps it.
        let owner = unsafe { (*this).owner.get() };
        // SAFETY: As above.
        let owner = unsafe { RcuArc::from_raw(owner) };
        // SAFETY: This is a worker.
        let mut process = unsafe { Process::new() };
        T::run(owner, &mut process);
    }
}

impl Queue {
    /// Enqueues an item.
    pub fn enqueue<T: WorkItem<ID>, const ID: usize>(
        &self,
        work: &Work<T, ID>,
        owner: &RcuArc<T>,
    ) -> bool {
        if !work.is_ready.replace(true) {
            // SAFETY: No thread has used it.
            unsafe {
                init_work_with_key(
                    work.work.get(),
                    Some(Work::<T, ID>::callback),
                    false,
                    std::ptr::null(),
                    std::ptr::null_mut(),
                );
            }
        }
        let value = RcuArc::into_raw(owner.clone());
        work.owner.set(value);
        // SAFETY: Ready, and kept by the count.
        let queued = unsafe { queue_work_on(0, std::ptr::null_mut(), work.work.get()) };
        if !queued {
            // SAFETY: The count was not used.
            drop(unsafe { RcuArc::from_raw(value) });
        }
        queued
    }

    /// Enqueues an item, for a CPU.
    pub fn enqueue_on<T: WorkItem<ID>, const ID: usize>(
        &self,
        _cpu: u32,
        work: &Work<T, ID>,
        owner: &RcuArc<T>,
    ) -> bool {
        self.enqueue(work, owner)
    }
}
