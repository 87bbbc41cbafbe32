// SPDX-License-Identifier: GPL-2.0

//! Release of encrypted batches in order, from one CPU.

use super::{
    deferred::{
        queue_drain_work,
        queue_send_work, //
    },
    next::TxHead,
    transmit::transmit, //
};
use crate::{
    batch::TxBatch,
    parallel::reorder::Outcome,
    peer::{
        arm_watchdog,
        Peer,
        DRAIN, //
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

/// Completes a batch, and sends ready batches here or has their CPU send them.
pub(super) fn complete(peer: Ref<'_, Peer>, seq: u64, outcome: Outcome<TxBatch>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let (head, tx_cpu) = peer.tx().lock(bh).complete(
        seq,
        outcome,
        |is_here| {
            if is_here {
                workers.softirq_budget(bh)
            } else {
                0
            }
        },
        bh,
    );
    if drain(peer, head, bh) {
        queue_drain_work(tx_cpu, peer);
    }
}

/// Ends draining after packets were sent inline, and sends the batches that got ready meanwhile.
pub(super) fn finish_inline(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let head = peer
        .tx()
        .lock(bh)
        .finish_inline(|| workers.softirq_budget(bh));
    if drain(peer, head, bh) {
        queue_drain_work(bh.cpu(), peer);
    }
}

/// Sends ready batches, unless another CPU drains the queue.
///
/// Workers may complete batches as fast as this CPU sends them. After its budget a work item goes
/// on, so that one sender does not send for all, and so that this CPU runs softirqs.
pub(super) fn send_ready(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if send_some_ready(peer, bh) {
        queue_drain_work(bh.cpu(), peer);
    }
}

/// Sends ready batches up to the budget, unless another CPU drains. Returns whether more are
/// ready.
fn send_some_ready(peer: Ref<'_, Peer>, bh: &Bh<'_>) -> bool {
    let workers = peer.device().data().workers();
    let head = peer.tx().lock(bh).take_ready(|| workers.softirq_budget(bh));
    drain(peer, head, bh)
}

/// Sends the batch that was taken, and those that are ready behind it. Returns whether more are.
fn drain(peer: Ref<'_, Peer>, mut head: TxHead, bh: &Bh<'_>) -> bool {
    let device = peer.device().data();
    loop {
        let (outcome, mut budget) = match head {
            TxHead::Ready { outcome, budget } => (outcome, budget),
            TxHead::ForWorkItem => return true,
            TxHead::NotReady => return false,
        };
        if let Outcome::Done(batch) = outcome {
            budget = budget.saturating_sub(batch.packets.segs());
            transmit(&batch.keypair, batch.packets, bh);
            device.tx_memory().uncharge(batch.charge, bh);
        }
        let after = peer.tx().lock(bh).head_released(budget, bh);
        if after.defers {
            queue_send_work(peer, bh);
        }
        head = after.next;
    }
}

impl WorkItem<DRAIN> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        this.device().data().workers().note_ran(&ctx.bh());
        while send_some_ready(this.borrow(), &ctx.bh()) {
            // A task of a higher class may keep this thread from going on.
            arm_watchdog(&this);
            ctx.cond_resched();
        }
    }
}
