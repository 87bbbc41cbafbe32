// E0597: what RCU drops later must not borrow
// SPDX-License-Identifier: GPL-2.0

//! What rcu drops later must not borrow.

#![forbid(unsafe_code)]

use kext::sync::rcu::RcuArc;

/// Counts a value that borrows from the stack.
pub fn breaks() {
    let local = 0u8;
    drop(RcuArc::new_atomic(&local)); //~
}
