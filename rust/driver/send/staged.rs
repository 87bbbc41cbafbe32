// SPDX-License-Identifier: GPL-2.0

//! Sending of staged packets.

use super::{
    deferred::{
        queue_send_work,
        set_work_item_sending, //
    },
    encrypt::encrypt,
    next::TxNext,
    tx::drop_staged, //
};
use crate::{
    parallel::cpu_load::SOFTIRQ_BUDGET,
    peer::{
        Peer,
        SEND, //
    },
    timers, //
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
use wg_proto::DropReason;

/// Packets that the work item sends as one batch.
const MAX_DEFERRED_BATCH: u32 = 64;

/// Sends staged packets under the current session; without one, begins a handshake.
///
/// Packets beyond what this CPU may send before it runs softirqs are deferred to the work item.
pub(crate) fn send_staged(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    // CAST: Small.
    if !send_batch(peer, SOFTIRQ_BUDGET as u32, bh) {
        return;
    }
    let is_deferred = peer.tx().lock(bh).defer_staged(bh);
    if is_deferred {
        queue_send_work(peer, bh);
    }
}

/// Sends up to `max` of the datagrams that are staged under the current session; without one,
/// begins a handshake.
///
/// Returns whether there may be more. If not, the staged packets are no longer deferred.
pub(super) fn send_batch(peer: Ref<'_, Peer>, max: u32, bh: &Bh<'_>) -> bool {
    let Some(keypair) = peer.current(bh) else {
        wait_for_session(peer, bh);
        // A handshake that ended just now may have found nothing staged, and relies on this call.
        return peer.current(bh).is_some();
    };
    let next = peer.tx().lock(bh).take_staged(peer, &keypair, max, bh);
    match next {
        TxNext::Nothing => return false,
        TxNext::WaitForSession => {
            wait_for_session(peer, bh);
            return false;
        }
        TxNext::Drop(packets) => drop_staged(&peer, packets, DropReason::NoMemory, bh),
        TxNext::Encrypt {
            first,
            packets,
            mode,
        } => encrypt(peer, keypair, first, packets, mode, bh),
    }
    // Only the next call looks whether there is more: the work item makes it after softirqs, which
    // may have staged some.
    true
}

/// Keeps the staged packets until there is a session, and begins the handshake for it.
fn wait_for_session(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let Some(old) = peer.tx().lock(bh).wait_for_session(peer, bh) else {
        return;
    };
    drop_staged(&peer, old, DropReason::TxStagedOverflow, bh);
    if let Some(peer) = peer.upgrade() {
        timers::initiation_wanted(&peer, bh);
    }
}

impl WorkItem<SEND> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let cpu = {
            let bh = ctx.bh();
            this.device().data().workers().note_ran(&bh);
            bh.cpu()
        };
        set_work_item_sending(cpu, true);
        // Softirqs, which receive on this machine, run when the section ends.
        while send_batch(this.borrow(), MAX_DEFERRED_BATCH, &ctx.bh()) {
            ctx.cond_resched();
        }
        set_work_item_sending(cpu, false);
    }
}
