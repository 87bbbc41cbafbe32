// SPDX-License-Identifier: GPL-2.0

//! Sending that is left to workers, and a timer for when they do not come: for these, and for those
//! that have received packets polled.

use super::{
    batch::release,
    queue::Deferred,
    send_some, //
};
use crate::{
    effort::MAX_UNBROKEN,
    pace::{
        self,
        Moment, //
    },
    peer::{
        Peer,
        SEND,
        WATCH, //
    },
    receive,
    worker::{
        MAX_ABSENCE,
        MAX_STUCK, //
    }, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    sync::rcu::{
        RcuArc,
        Ref, //
    },
    time::timer::Expired,
    workqueue::Run, //
};

/// Packets that a worker sends as one batch.
const MAX_DEFERRED_BATCH: u32 = 64;

/// Has the worker of this CPU send what is staged, for which it is noted.
pub(super) fn defer(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if let Some(counted) = peer.upgrade() {
        let workers = counted.device().data().workers();
        let _ = workers
            .queue()
            .enqueue_on(bh.cpu(), &counted.send_work, &counted);
        watch(&counted);
        return;
    }
    peer.tx().lock(bh).is_left();
    send_some(peer, u32::MAX, bh);
}

/// Has the timer look, in a while, whether workers come.
pub(crate) fn watch(peer: &RcuArc<Peer>) {
    if !peer.watch.is_pending() {
        peer.watch.arm(peer, MAX_ABSENCE);
    }
}

impl Run<SEND> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let cpu = {
            let bh = ctx.bh();
            this.device().data().workers().has_come(&bh);
            bh.cpu()
        };
        pace::worker_sends(cpu, true);
        // What this machine itself receives is received when the section ends.
        while send_some(this.borrow(), MAX_DEFERRED_BATCH, &ctx.bh()) {
            ctx.cond_resched();
        }
        pace::worker_sends(cpu, false);
    }
}

impl Expired<WATCH> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let is_late = |since: Moment| since.age() >= MAX_ABSENCE;
        let workers = this.device().data().workers();
        let (sends, releases) = {
            let mut tx = this.tx().lock(bh);
            let sends = tx.deferred.is_some_and(|worker| is_late(worker.since));
            // Late, as what left from the other CPU shortly before may then be overtaken. If there
            // is a next sender, it takes that CPU's place sooner.
            let releases =
                tx.order.is_due() && tx.due_since.is_some_and(|since| since.age() >= MAX_STUCK);
            if let Some(worker) = tx.deferred.filter(|_| sends) {
                workers.is_late(worker.cpu);
                tx.deferred = Some(Deferred::here(bh));
            }
            if releases {
                workers.is_late(tx.outlet.cpu());
                tx.outlet.seize(bh.cpu());
            }
            (sends, releases)
        };
        if sends || releases {
            // This is a turn for softirqs.
            workers.efforts().had_turn(bh);
        }
        if releases {
            release(this.borrow(), bh);
        }
        if sends {
            // CAST: Small.
            let _ = send_some(this.borrow(), MAX_UNBROKEN as u32, bh);
        }
        let is_left = {
            let tx = this.tx().lock(bh);
            tx.deferred.is_some() || tx.due_since.is_some()
        };
        if receive::take_over(&this, bh) || is_left {
            watch(&this);
        }
    }
}
