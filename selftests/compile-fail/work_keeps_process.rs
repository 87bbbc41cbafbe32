// E0521: a proof ends with its callback
// SPDX-License-Identifier: GPL-2.0

//! A proof ends with its callback.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{context::Process, sync::rcu::RcuArc, workqueue::WorkItem};

/// Something that lives for ever.
pub fn forever(_: &'static mut Process) {}

/// A value.
pub struct Value;

impl WorkItem<0> for Value {
    fn run(this: RcuArc<Self>, process: &mut Process) {
        drop(this);
        process.cond_resched();
        forever(process); //~
    }
}

/// Keeps the names in use.
pub fn used() -> Result {
    drop(RcuArc::new_atomic(Value)?);
    Ok(())
}
