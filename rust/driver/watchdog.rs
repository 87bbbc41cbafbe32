// SPDX-License-Identifier: GPL-2.0

//! The watchdog timer, which does what work items of a peer have not done in time, in both
//! directions.

use crate::{
    peer::{
        arm_watchdog,
        Peer,
        WATCHDOG, //
    },
    receive,
    send, //
};
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::timer::Expired, //
};

impl Expired<WATCHDOG> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let out = send::do_overdue(&this, bh);
        let inward = receive::do_overdue(&this, bh);
        if out || inward {
            arm_watchdog(&this);
        }
    }
}
