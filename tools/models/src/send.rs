// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface: only the watchdog, as far as it looks after the other
//! way.

use crate::{
    batch::TxBatch,
    parallel::{reorder::Job, worker::Batch},
    peer::{Peer, WATCHDOG},
    receive,
};
use kext::{context::Bh, sync::rcu::RcuArc, time::timer::Expired};

impl Batch for TxBatch {
    fn process(_job: Job<Self>, _bh: &Bh<'_>) {
        unreachable!("not by these models");
    }
}

pub(crate) mod tx {
    use crate::{parallel::worker::WATCHDOG_TIMEOUT, peer::Peer};
    use kext::sync::rcu::RcuArc;

    /// As in `rust/driver/send/tx.rs`.
    pub(crate) fn arm_watchdog(peer: &RcuArc<Peer>) {
        if !peer.watchdog.is_pending() {
            peer.watchdog.arm(peer, WATCHDOG_TIMEOUT);
        }
    }
}

/// As in `rust/driver/send/watchdog.rs`.
impl Expired<WATCHDOG> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        if receive::take_over(&this, bh) {
            tx::arm_watchdog(&this);
        }
    }
}
