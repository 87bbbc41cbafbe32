// E0308: the callback of a timer cannot wait for itself
// SPDX-License-Identifier: GPL-2.0

//! The callback of a timer cannot wait for itself.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::timer::{Expired, Timer},
};

/// A value with a timer.
#[pin_data]
pub struct Value {
    #[pin]
    timer: Timer<Self, 0>,
}

impl Expired<0> for Value {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        this.timer.arm(&this, 1);
        this.timer.cancel_sync(bh); //~
        let _ = bh;
    }
}
