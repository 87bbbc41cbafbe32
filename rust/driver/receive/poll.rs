// SPDX-License-Identifier: GPL-2.0

//! The NAPI poll of a receive queue.
//!
//! `tools/models` runs this file on the host under all schedules of a few CPUs.

use super::{
    batch::{
        give_back,
        open_all, //
    },
    delivery::deliver,
    find_session,
    Batch, //
};
use crate::{
    device::Device,
    keypair::Keypair,
    peer::{
        Peer,
        RECEIVE, //
    },
    queueing::Job,
    rx_queue::Queue,
    send, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    net::{
        device::NetDevice,
        napi::Gro,
        skb, //
    },
    sync::rcu::RcuArc,
    time,
    workqueue, //
};
use wg_proto::Reject;

/// Packets of one session that are decrypted as one batch when CPUs share the work.
const SHARED_RUN: usize = 16;

/// Packets of one peer that may be with workers, or wait for those, at once. (A test fills this up a thousand times.)
const MAX_SHARED_PACKETS: usize = if cfg!(wg_faults) { 1024 } else { 4096 };

/// Has a worker ask for the poll of the peer's queue, and a timer do so if it does not come.
fn poll_later(peer: &RcuArc<Peer>) {
    let workers = peer.device().data().workers();
    let _ = workers.queue().enqueue(&peer.receive_work, peer);
    send::watch(peer);
}

/// Has packets polled that the worker does not come for. Returns whether the timer has to look
/// again, as it still may.
pub(crate) fn take_over(peer: &Peer, bh: &Bh<'_>) -> bool {
    let Some(napi) = peer.device().data().rx_queue(peer.queue(), bh) else {
        return false;
    };
    match napi.queue().end_long_pause(bh) {
        Some(true) => {
            napi.schedule(bh);
            false
        }
        Some(false) => true,
        None => false,
    }
}

impl workqueue::Run<RECEIVE> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let bh = ctx.bh();
        let Some(napi) = this.device().data().rx_queue(this.queue(), &bh) else {
            return;
        };
        napi.queue().end_pause(&bh);
        napi.schedule(&bh);
        // The poll comes here, and may ask for this worker again.
        drop(bh);
        ctx.reschedule();
    }
}

/// Delivers packets: the NAPI poll of one queue.
///
/// After a poll that takes all it may, what is left is for a worker, which the scheduler weighs against those who read
/// what came.
pub(crate) fn poll(
    dev: &NetDevice<Device>,
    queue: &Queue,
    gro: &mut Gro<'_, Device>,
    budget: usize,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let mut last = None;
    let max_work = queue.begin_poll(budget, bh);
    dev.data().workers().efforts().polled(bh);

    // What other CPUs have finished comes first, as it is older.
    while work < max_work {
        let Some(job) = queue.pop_opened(bh) else {
            break;
        };
        let peer = job.batch.keypair.peer().clone();
        work = work.saturating_add(give_back(&peer, job, gro, bh));
    }
    while work < max_work {
        let left = max_work.saturating_sub(work);
        let workers = dev.data().workers();
        let shared = workers.may_help(bh);
        #[cfg(wg_faults)]
        let shared = shared || workers.hold.is_on();
        let max = if shared { left.min(SHARED_RUN) } else { left };
        let Some((index, run)) = queue.take_run(max, bh) else {
            break;
        };
        work = work.saturating_add(run.len());
        let Some(keypair) = find_session(dev.data(), index, bh) else {
            // CAST: From small to large.
            dev.data()
                .drops()
                .add(Reject::UnknownSession, run.len() as u64);
            continue;
        };
        receive_run(keypair, run, shared, queue, gro, bh);
        last = Some(keypair.peer());
    }
    if work < max_work {
        return work;
    }
    match last {
        Some(peer) if bh.is_unscheduled() => {
            if queue.pause(max_work < budget, bh) {
                poll_later(peer);
            }
            // More than the budget must not be reported, and all of it means that the next poll is to come by itself.
            work.min(budget.saturating_sub(1))
        }
        _ => budget,
    }
}

/// Decrypts and delivers packets of one session, or has another CPU decrypt them.
fn receive_run(
    keypair: &RcuArc<Keypair>,
    run: skb::List,
    shared: bool,
    queue: &Queue,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) {
    let peer = keypair.peer();
    let device = peer.device().data();
    let taken = run.len();
    // CAST: From small to large.
    let n = taken as u64;
    if let Err(reason) = keypair.check_receive(time::boottime_coarse(), bh) {
        return device.drops().add(reason, n);
    }
    let helper = if shared {
        device.workers().idle(bh)
    } else {
        None
    };
    // What is given to a helper comes back by way of the queue.
    let helper = helper.filter(|_| queue.expect_opened(bh).is_ok());
    let ticket = {
        let mut rx = peer.rx().lock(bh);
        if helper.is_none() && rx.order.in_flight() == 0 {
            drop(rx);
            let opened = open_all(keypair, run, bh);
            return deliver(keypair, opened, gro, bh);
        }
        // Decryption comes after this: who can send has to be held off before.
        if rx.packets >= MAX_SHARED_PACKETS || rx.order.prepare().is_err() {
            drop(rx);
            if helper.is_some() {
                queue.expect_less(bh);
            }
            return device.drops().add(Reject::RxQueueFull, n);
        }
        rx.packets = rx.packets.saturating_add(taken);
        rx.order.ticket()
    };
    let mut job = Job {
        ticket,
        batch: Batch {
            keypair: keypair.clone(),
            packets: run,
            taken,
        },
    };
    if let Some(helper) = helper {
        match device.workers().open(job, &helper, bh) {
            Ok(()) => return,
            Err(refused) => job = refused,
        }
        queue.expect_less(bh);
    }
    let packets = core::mem::take(&mut job.batch.packets);
    job.batch.packets = open_all(keypair, packets, bh);
    give_back(peer, job, gro, bh);
}
