// SPDX-License-Identifier: GPL-2.0

//! The NAPI poll of a receive queue.

use super::{
    decrypt::decrypt,
    queue::RxQueue,
    release::complete, //
};
use crate::{
    device::Device,
    diag,
    drops::drop_for,
    peer::{
        arm_watchdog,
        Peer,
        POLL, //
    }, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::{
        Bh,
        Process, //
    },
    net::{
        device::NetDevice,
        napi::Gro, //
    },
    sync::rcu::RcuArc,
    workqueue::WorkItem, //
};
use wg_proto::DropReason;

/// Packets that are decrypted as one batch when this CPU offloads work.
const OFFLOAD_RUN: usize = 16;

/// Delivers packets: the NAPI poll of one queue.
///
/// After a poll that uses up its budget, a work item schedules the next one: the scheduler then
/// shares the CPU between it and the readers of the packets.
pub(crate) fn poll(
    dev: &NetDevice<Device>,
    queue: &RxQueue,
    gro: &mut Gro<'_, Device>,
    budget: usize,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let mut last = None;
    let max_work = queue.begin_poll(budget, bh);
    dev.data().workers().loads().note_poll(bh);

    // Batches from other CPUs come first, as they are older.
    while work < max_work {
        let Some(job) = queue.pop_decrypted(bh) else {
            break;
        };
        let peer = job.batch.keypair.peer().clone();
        work = work.saturating_add(complete(&peer, job, gro, bh));
    }
    while work < max_work {
        let left = max_work.saturating_sub(work);
        let workers = dev.data().workers();
        let is_busy = workers.should_offload(bh);
        #[cfg(wg_faults)]
        let is_busy = is_busy || workers.hold.is_on();
        let max = if is_busy { left.min(OFFLOAD_RUN) } else { left };
        let Some((index, run)) = queue.take_run(max, bh) else {
            break;
        };
        work = work.saturating_add(run.len());
        // Stage 2 found the peer by this index, but took no reference. The session may be gone by
        // now.
        let Some(keypair) = dev.data().index_table().find_session(index, bh) else {
            let n = usize_as_u64(run.len());
            diag::count_drops(dev, drop_for(run, DropReason::UnknownSession), n, None);
            continue;
        };
        decrypt(keypair, run, is_busy, queue, gro, bh);
        last = Some(keypair.target().peer());
    }
    if work < max_work {
        return work;
    }
    match last {
        Some(peer) if bh.in_serving_softirq() => {
            if queue.pause(max_work < budget, bh) {
                queue_poll_work(peer);
            }
            // NAPI polls again by itself if a poll reports its whole budget.
            work.min(budget.saturating_sub(1))
        }
        _ => budget,
    }
}

/// Queues the work item that schedules the poll of the peer's queue, and arms the watchdog.
fn queue_poll_work(peer: &RcuArc<Peer>) {
    let workers = peer.device().data().workers();
    let _ = workers.workqueue().enqueue(&peer.poll_work, peer);
    arm_watchdog(peer);
}

impl WorkItem<POLL> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let bh = ctx.bh();
        let Some(napi) = this.device().data().napi(this.napi_index(), &bh) else {
            return;
        };
        napi.queue().end_pause(&bh);
        napi.schedule(&bh);
        // The poll runs here, and may queue this work item again.
        drop(bh);
        ctx.reschedule();
    }
}
