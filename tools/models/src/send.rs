// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface: only the watchdog, as far as it looks after the other
//! way.

use crate::{
    batch::TxBatch,
    parallel::{reorder::Job, worker::Batch},
    peer::{arm_watchdog, Peer, WATCHDOG},
    receive,
};
use kext::{context::Bh, sync::rcu::RcuArc, time::timer::Expired};

impl Batch for TxBatch {
    fn process(_job: Job<Self>, _bh: &Bh<'_>) {
        unreachable!("not by these models");
    }
}

/// As in `rust/driver/watchdog.rs`.
impl Expired<WATCHDOG> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        if receive::do_overdue(&this, bh) {
            arm_watchdog(&this);
        }
    }
}
