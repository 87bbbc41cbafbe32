// E0277: what RCU drops may be dropped on any CPU
// SPDX-License-Identifier: GPL-2.0

//! What rcu drops may be dropped on any cpu.

#![forbid(unsafe_code)]

use core::{cell::Cell, marker::PhantomData};
use kext::sync::rcu::RcuArc;

/// Must stay on its thread.
pub struct Local(PhantomData<*mut u8>);

/// May go to another thread, but not be seen by two.
pub struct Single(Cell<u8>);

/// Counts such values.
pub fn breaks() {
    drop(RcuArc::new_atomic(0u8));
    drop(RcuArc::new_atomic(Local(PhantomData))); //~
    drop(RcuArc::new_atomic(Single(Cell::new(0)))); //~
}
