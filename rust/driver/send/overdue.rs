// SPDX-License-Identifier: GPL-2.0

//! Sending of packets that wait for a work item that does not run in time.

use super::{
    release::send_ready,
    staged::send_batch, //
};
use crate::{
    parallel::cpu_load::SOFTIRQ_BUDGET,
    peer::Peer, //
};
use kext::{
    context::Bh,
    sync::rcu::RcuArc, //
};

/// Does what work items of the peer have not done in time. Returns whether the watchdog has to run
/// again.
pub(crate) fn do_overdue(peer: &RcuArc<Peer>, bh: &Bh<'_>) -> bool {
    let workers = peer.device().data().workers();
    let overdue = peer.tx().lock(bh).claim_overdue(workers, bh);
    if overdue.staged || overdue.ready {
        // Timers run in a softirq.
        workers.loads().note_softirq(bh);
    }
    if overdue.ready {
        send_ready(peer.borrow(), bh);
    }
    if overdue.staged {
        // CAST: Small.
        let _ = send_batch(peer.borrow(), SOFTIRQ_BUDGET as u32, bh);
    }
    peer.tx().lock(bh).waits_for_work_item()
}
