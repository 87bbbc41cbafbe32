// SPDX-License-Identifier: GPL-2.0

//! The thread that holds a sleeping lock.

use kernel::{
    sync::aref::ARef,
    task::Task, //
};

/// A reference of the thread that holds a lock, as a part of the lock's guard.
///
/// A lock whose waiters sleep points to its holder. Waiters spin while that runs, and with
/// `PREEMPT_RT`, where spinlocks are of this kind, they lend it their priority. With
/// `DEBUG_SPINLOCK` a spinlock points to its holder too, whose name a waiter logs. A thread may
/// forget a guard and exit. The reference is forgotten with the guard, so the memory that waiters
/// look at stays.
pub(crate) struct Holder {
    _task: ARef<Task>,
}

impl Holder {
    /// Takes a reference of this thread.
    #[inline]
    pub(crate) fn current() -> Self {
        Self {
            _task: ARef::from(&**kernel::current!()),
        }
    }
}

#[kernel::macros::kunit_tests(kext_lock_holder)]
mod tests {
    use crate::{
        context::Process,
        net::rtnl,
        new_mutex,
        new_rw_semaphore,
        new_spinlock, //
    };
    use kernel::prelude::*;

    /// Returns how many references of this thread's `task_struct` there are.
    fn references() -> i32 {
        let task = kernel::current!().as_ptr();
        // SAFETY: In bounds of the thread's own `task_struct`.
        let count = unsafe { &raw const (*task).usage.refs.counter };
        // SAFETY: As above. Other CPUs may change the count.
        unsafe { count.read_volatile() }
    }

    #[test]
    fn holders_of_sleeping_locks_are_referenced() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let mutex = KBox::pin_init(new_mutex!(1u32), GFP_KERNEL)?;
        let semaphore = KBox::pin_init(new_rw_semaphore!(1u32), GFP_KERNEL)?;
        let none = references();
        let guard = mutex.lock(&mut process);
        let by_mutex = references();
        drop(guard);
        let guard = mutex.try_lock(&mut process);
        let by_try_lock = references();
        drop(guard);
        let guard = semaphore.write(&mut process);
        let by_semaphore = references();
        drop(guard);
        let spinlock = KBox::pin_init(new_spinlock!(1u32), GFP_KERNEL)?;
        let bh = process.bh();
        let guard = spinlock.lock(&bh);
        let by_spinlock = references();
        drop(guard);
        drop(bh);
        let guard = rtnl::lock(&mut process);
        let by_rtnl = references();
        drop(guard);
        assert_eq!(
            [by_mutex, by_try_lock, by_semaphore, by_rtnl].map(|count| count - none),
            [1; 4]
        );
        let looks = cfg!(any(CONFIG_PREEMPT_RT, CONFIG_DEBUG_SPINLOCK));
        assert_eq!(by_spinlock - none, i32::from(looks));
        assert_eq!(references(), none);
        Ok(())
    }
}
