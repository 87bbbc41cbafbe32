// SPDX-License-Identifier: GPL-2.0

//! Sending of staged packets by workers.

use super::send_some;
use crate::{
    parallel::stream,
    peer::{
        arm_watchdog,
        Peer,
        SEND, //
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
    workqueue::WorkItem, //
};

/// Packets that a worker sends as one batch.
const MAX_DEFERRED_BATCH: u32 = 64;

/// Queues the worker of this CPU, which `Tx::deferred` names, to send staged packets.
pub(super) fn defer(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if let Some(counted) = peer.upgrade() {
        let workers = counted.device().data().workers();
        let _ = workers
            .workqueue()
            .enqueue_on(bh.cpu(), &counted.send_work, &counted);
        arm_watchdog(&counted);
        return;
    }
    peer.tx().lock(bh).clear_deferral();
    send_some(peer, u32::MAX, bh);
}

impl WorkItem<SEND> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let cpu = {
            let bh = ctx.bh();
            this.device().data().workers().note_ran(&bh);
            bh.cpu()
        };
        stream::set_worker_sending(cpu, true);
        // Softirqs, which receive on this machine, run when the section ends.
        while send_some(this.borrow(), MAX_DEFERRED_BATCH, &ctx.bh()) {
            ctx.cond_resched();
        }
        stream::set_worker_sending(cpu, false);
    }
}
