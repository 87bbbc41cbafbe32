// SPDX-License-Identifier: GPL-2.0

//! What a CPU leaves to a work item: to send staged packets (`staged.rs`) or ready batches
//! (`release.rs`).

use crate::peer::{
    arm_watchdog,
    Peer, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kext::{
    context::Bh,
    sync::{
        rcu::Ref,
        ReadOnce, //
    }, //
};

/// Queues the work item that sends staged packets, on this CPU, as `Tx::deferred` has it.
pub(super) fn queue_send_work(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let Some(counted) = peer.upgrade() else {
        // Nothing holds the peer any more, so no session is left to send under.
        peer.tx().lock(bh).clear_deferral();
        return;
    };
    let workers = counted.device().data().workers();
    let _ = workers
        .workqueue()
        .enqueue_on(bh.cpu(), &counted.send_work, &counted);
    arm_watchdog(&counted);
}

/// Queues the work item that sends ready batches, on `cpu`.
pub(super) fn queue_drain_work(cpu: u32, peer: Ref<'_, Peer>) {
    // A ready batch has a session, which holds the peer. Without references there is none.
    if let Some(peer) = peer.upgrade() {
        let workers = peer.device().data().workers();
        let _ = workers.workqueue().enqueue_on(cpu, &peer.drain_work, &peer);
        arm_watchdog(&peer);
    }
}

/// Whether a work item of any interface sends on a CPU. CPUs above 63 share flags.
static SENDING: [Atomic<bool>; 64] = [const { Atomic::new(false) }; 64];

/// Returns the flag of a CPU.
fn sending(cpu: u32) -> &'static Atomic<bool> {
    // CAST: Small.
    &SENDING[cpu as usize % SENDING.len()]
}

/// Returns whether a work item sends on this CPU.
///
/// A hint: it may be preempted.
pub(crate) fn is_work_item_sending(bh: &Bh<'_>) -> bool {
    sending(bh.cpu()).read_once()
}

/// Sets whether a work item sends on `cpu`.
pub(super) fn set_work_item_sending(cpu: u32, sends: bool) {
    sending(cpu).store(sends, Relaxed);
}
