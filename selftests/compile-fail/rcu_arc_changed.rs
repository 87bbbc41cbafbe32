// E0594: a counted value is shared
// SPDX-License-Identifier: GPL-2.0

//! A counted value is shared.

#![forbid(unsafe_code)]

use kext::sync::rcu::RcuArc;

/// A value.
pub struct Value(pub u32);

/// Changes what others see.
pub fn breaks(mut value: RcuArc<Value>) {
    value.0 = 1; //~
    drop(value);
}
