// E0277: a pointer to what stays on its thread stays there too
// SPDX-License-Identifier: GPL-2.0

//! A pointer to what stays on its thread stays there too.

#![forbid(unsafe_code)]

use core::{cell::Cell, marker::PhantomData};
use kext::sync::rcu::{OwnedSlot, RcuArc, Slot};

/// Sends a value to another thread.
pub fn send<T: Send>() {}

/// Shares a value with another thread.
pub fn share<T: Sync>() {}

/// Sends the pointers.
pub fn breaks() {
    send::<RcuArc<u8>>();
    share::<Slot<u8>>();
    send::<RcuArc<PhantomData<*mut u8>>>(); //~
    send::<RcuArc<Cell<u8>>>(); //~
    share::<Slot<Cell<u8>>>(); //~
    share::<OwnedSlot<Cell<u8>>>(); //~
}
