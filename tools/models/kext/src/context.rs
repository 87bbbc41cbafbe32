// SPDX-License-Identifier: GPL-2.0

//! Contexts: a [`Bh`] is a read-side section of RCU, and softirqs run when it ends.

use kernel::model::{rcu, softirq};
use kernel::types::NotThreadSafe;
use std::marker::PhantomData;

/// May sleep.
pub struct Process(NotThreadSafe);

impl Process {
    /// Makes the proof.
    ///
    /// # Safety
    ///
    /// None here: a model knows what it does.
    pub unsafe fn new() -> Self {
        Self(NotThreadSafe)
    }

    /// Turns bottom halves off.
    pub fn bh(&mut self) -> Bh<'_> {
        softirq::disable();
        rcu::enter();
        Bh {
            enable: true,
            process: PhantomData,
        }
    }

    /// Nothing: the scheduler switches where it wants.
    pub fn cond_resched(&mut self) {}

    /// As above.
    pub fn reschedule(&mut self) {}
}

/// Bottom halves are off.
pub struct Bh<'a> {
    enable: bool,
    process: PhantomData<&'a mut Process>,
}

impl Bh<'_> {
    /// Makes the proof for a softirq, which is a section.
    ///
    /// # Safety
    ///
    /// The caller must be one.
    pub unsafe fn in_softirq() -> Self {
        Self {
            enable: false,
            process: PhantomData,
        }
    }

    /// Returns the CPU.
    pub fn cpu(&self) -> u32 {
        softirq::cpu()
    }

    /// Never: those that come while the CPU is idle do not wait.
    pub fn is_idle(&self) -> bool {
        false
    }

    /// Returns whether this is a softirq.
    pub fn in_serving_softirq(&self) -> bool {
        softirq::is_serving()
    }

    /// Returns whether softirqs run next.
    pub fn softirqs_follow(&self) -> bool {
        !softirq::is_serving()
    }
}

impl Drop for Bh<'_> {
    fn drop(&mut self) {
        if self.enable {
            rcu::exit();
            softirq::enable();
        }
    }
}

pub(crate) fn may_sleep() -> bool {
    !rcu::is_reading()
}
