// SPDX-License-Identifier: GPL-2.0

//! Sending by workers, and a watchdog timer for when these, or those that schedule a poll, do not run.

use super::{
    batch::send_ready,
    queue::Deferred,
    send_some, //
};
use crate::{
    parallel::{
        cpu_load::MAX_TX_SINCE_SOFTIRQ,
        stream::{
            self,
            JiffyStamp, //
        },
        worker::{
            STALL_TIMEOUT,
            WATCHDOG_TIMEOUT, //
        }, //
    },
    peer::{
        Peer,
        SEND,
        WATCHDOG, //
    },
    receive, //
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
    workqueue::WorkItem, //
};

/// Packets that a worker sends as one batch.
const MAX_DEFERRED_BATCH: u32 = 64;

/// Queues the worker of this CPU, which `Tx::deferred` names, to send what is staged.
pub(super) fn defer(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if let Some(counted) = peer.upgrade() {
        let workers = counted.device().data().workers();
        let _ = workers
            .queue()
            .enqueue_on(bh.cpu(), &counted.send_work, &counted);
        arm_watchdog(&counted);
        return;
    }
    peer.tx().lock(bh).clear_deferral();
    send_some(peer, u32::MAX, bh);
}

/// Arms the watchdog, unless it is armed.
pub(crate) fn arm_watchdog(peer: &RcuArc<Peer>) {
    if !peer.watchdog.is_pending() {
        peer.watchdog.arm(peer, WATCHDOG_TIMEOUT);
    }
}

impl WorkItem<SEND> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let cpu = {
            let bh = ctx.bh();
            this.device().data().workers().note_ran(&bh);
            bh.cpu()
        };
        stream::set_worker_sending(cpu, true);
        // What this machine itself receives is received when the section ends.
        while send_some(this.borrow(), MAX_DEFERRED_BATCH, &ctx.bh()) {
            ctx.cond_resched();
        }
        stream::set_worker_sending(cpu, false);
    }
}

impl Expired<WATCHDOG> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let is_late = |since: JiffyStamp| since.age() >= WATCHDOG_TIMEOUT;
        let workers = this.device().data().workers();
        let (sends, releases) = {
            let mut tx = this.tx().lock(bh);
            let sends = tx.deferred.is_some_and(|worker| is_late(worker.since));
            // Late, as what left from the other CPU shortly before may then be overtaken. If there
            // is a next sender, it takes that CPU's place sooner.
            let releases = tx.reorder.head_ready()
                && tx
                    .ready_since
                    .is_some_and(|since| since.age() >= STALL_TIMEOUT);
            if let Some(worker) = tx.deferred.filter(|_| sends) {
                workers.note_late(worker.cpu);
                tx.deferred = Some(Deferred::here(bh));
            }
            if releases {
                workers.note_late(tx.tx_cpu.cpu());
                tx.tx_cpu.set(bh.cpu());
            }
            (sends, releases)
        };
        if sends || releases {
            // Timers run in a softirq.
            workers.loads().note_softirq(bh);
        }
        if releases {
            send_ready(this.borrow(), bh);
        }
        if sends {
            // CAST: Small.
            let _ = send_some(this.borrow(), MAX_TX_SINCE_SOFTIRQ as u32, bh);
        }
        let is_left = {
            let tx = this.tx().lock(bh);
            tx.deferred.is_some() || tx.ready_since.is_some()
        };
        if receive::take_over(&this, bh) || is_left {
            arm_watchdog(&this);
        }
    }
}
