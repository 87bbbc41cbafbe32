// SPDX-License-Identifier: GPL-2.0

//! Atomics of the kernel's memory model, counts, and counted pointers.

pub mod atomic;

/// RCU, as the `kernel` crate has it.
pub mod rcu {
    use crate::model::rcu;

    /// A read-side section.
    pub struct Guard(());

    /// Begins a section.
    pub fn read_lock() -> Guard {
        rcu::enter();
        Guard(())
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            rcu::exit();
        }
    }

    pub use crate::model::rcu::rcu_barrier;
}

use engine::atomic::{fence, Ordering};
use std::sync::Arc as StdArc;

/// A counted pointer whose order the models do not look at.
pub struct Arc<T>(StdArc<T>);

impl<T> Arc<T> {
    /// Moves a value into memory of its own.
    pub fn new(value: T, _flags: crate::alloc::Flags) -> crate::error::Result<Self> {
        Ok(Self(StdArc::new(value)))
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> std::ops::Deref for Arc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A count, as `refcount_t` is.
#[repr(transparent)]
pub struct Refcount(atomic::Atomic<i32>);

impl Refcount {
    /// Makes one.
    pub fn new(n: i32) -> Self {
        Self(atomic::Atomic::new(n))
    }

    /// Adds one, without any order.
    pub fn inc(&self) {
        let old = self.0.fetch_add(1, atomic::Relaxed);
        assert!(old > 0, "a count leaves zero");
    }

    /// Takes one away, and returns whether it was the last: a release, and an acquire if it was
    /// (`include/linux/refcount.h`, at `refcount_dec_and_test()`).
    pub fn dec_and_test(&self) -> bool {
        let old = self.0.fetch_sub(1, atomic::Release);
        assert!(old > 0, "a count falls below zero");
        if old == 1 {
            fence(Ordering::Acquire);
        }
        old == 1
    }

    /// Adds one unless there is none, without an order but that of what depends on the outcome (the
    /// same file).
    pub fn inc_not_zero(&self) -> bool {
        let mut old = self.0.load(atomic::Relaxed);
        while old != 0 {
            match self.0.cmpxchg(old, old + 1, atomic::Relaxed) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        // A caller that tries again sees what others have written some time.
        engine::pause();
        false
    }

    /// Returns the atomic.
    pub fn as_atomic(&self) -> &atomic::Atomic<i32> {
        &self.0
    }
}
