// E0277: callbacks run on other CPUs
// SPDX-License-Identifier: GPL-2.0

//! Callbacks run on other CPUs.

#![forbid(unsafe_code)]

use core::cell::Cell;
use kext::{
    context::{Bh, Process},
    sync::rcu::RcuArc,
    time::timer::Expired,
    workqueue::WorkItem,
};

/// Must not be seen by two threads.
pub struct Single(pub Cell<u8>);

#[rustfmt::skip] //~
impl Expired<0> for Single { //~
    fn expired(_: RcuArc<Self>, _: &Bh<'_>) {} //~
} //~

#[rustfmt::skip] //~
impl WorkItem<0> for Single { //~
    fn run(_: RcuArc<Self>, _: &mut Process) {} //~
} //~

/// Keeps the names in use.
pub fn used<T: Expired<0> + WorkItem<0>>(_: RcuArc<T>, _: &Bh<'_>, _: &mut Process) {}
