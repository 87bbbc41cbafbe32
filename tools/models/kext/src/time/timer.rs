// SPDX-License-Identifier: GPL-2.0

//! Timers in counted values, as `rust/kernel/time/timer.rs` has them.

use crate::{context::Bh, sync::rcu::RcuArc};
use kernel::model::timer as model;
use std::cell::Cell;

/// What happens when a timer expires.
pub trait Expired<const ID: usize>: Send + Sync + Sized + 'static {
    /// Called once per expiry.
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>);
}

/// A timer in a `T`.
pub struct Timer<T, const ID: usize> {
    timer: model::Timer,
    owner: Cell<*const T>,
}

// SAFETY: Threads take turns.
unsafe impl<T, const ID: usize> Send for Timer<T, ID> {}
// SAFETY: As above.
unsafe impl<T, const ID: usize> Sync for Timer<T, ID> {}

/// Makes a timer.
#[macro_export]
macro_rules! new_timer {
    () => {
        $crate::time::timer::Timer::new()
    };
}

impl<T: Expired<ID>, const ID: usize> Timer<T, ID> {
    /// Makes it.
    pub fn new() -> Self {
        Self {
            timer: model::Timer::new(),
            owner: Cell::new(std::ptr::null()),
        }
    }

    /// Returns whether it is pending.
    pub fn is_pending(&self) -> bool {
        self.timer.is_pending()
    }

    /// Arms it.
    pub fn arm(&self, owner: &RcuArc<T>, after: u64) {
        self.arm_at(owner, model::jiffies() + after);
    }

    /// Arms it for a time.
    pub fn arm_at(&self, owner: &RcuArc<T>, expires: u64) {
        let value = RcuArc::into_raw(owner.clone());
        self.owner.set(value);
        let this: *const Self = self;
        let expire = move || {
            // SAFETY: The count of the pending instance keeps it.
            let owner = unsafe { (*this).owner.get() };
            // SAFETY: As above.
            let owner = unsafe { RcuArc::from_raw(owner) };
            // SAFETY: Called in a softirq.
            let bh = unsafe { Bh::in_softirq() };
            T::expired(owner, &bh);
        };
        if !self.timer.arm_at(expires, Box::new(expire)) {
            // SAFETY: The count was not used.
            drop(unsafe { RcuArc::from_raw(value) });
        }
    }
}
