// SPDX-License-Identifier: GPL-2.0

//! The watchdog timer, which does what work items of a peer have not done in time, in both
//! directions.

use crate::{
    parallel::cpu_load::SOFTIRQ_BUDGET,
    peer::{
        arm_watchdog,
        Peer,
        WATCHDOG, //
    },
    receive,
    send::{
        send_batch,
        send_ready, //
    }, //
};
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::timer::Expired, //
};

impl Expired<WATCHDOG> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let workers = this.device().data().workers();
        let overdue = this.tx().lock(bh).claim_overdue(workers, bh);
        if overdue.staged || overdue.ready {
            // Timers run in a softirq.
            workers.loads().note_softirq(bh);
        }
        if overdue.ready {
            send_ready(this.borrow(), bh);
        }
        if overdue.staged {
            // CAST: Small.
            let _ = send_batch(this.borrow(), SOFTIRQ_BUDGET as u32, bh);
        }
        let is_left = this.tx().lock(bh).waits_for_work_item();
        if receive::take_over(&this, bh) || is_left {
            arm_watchdog(&this);
        }
    }
}
