// SPDX-License-Identifier: GPL-2.0

//! Decryption of runs, on this CPU or on a less busy one.

use super::{
    aead::open_all,
    deliver::deliver,
    next::RxNext,
    queue::RxQueue,
    release::complete,
    rx::forget_batches, //
};
use crate::{
    batch::RxBatch,
    device::Device,
    drops::drop_for,
    keypair::Keypair,
    parallel::{
        reorder::Job,
        worker::Batch, //
    }, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    net::{
        napi::Gro,
        skb::SkbList, //
    },
    sync::rcu::Ref,
    time, //
};

/// Decrypts and delivers packets of one session, or has another CPU decrypt them.
pub(super) fn decrypt(
    keypair: Ref<'_, Keypair>,
    run: SkbList,
    is_busy: bool,
    queue: &RxQueue,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) {
    let peer = keypair.peer();
    let device = peer.device().data();
    let taken = run.len();
    let n = usize_as_u64(taken);
    if let Err(reason) = keypair.check_receive(time::boottime_coarse(), bh) {
        return peer.count_drops(drop_for(run, reason), n, bh);
    }
    let worker = if is_busy {
        device.workers().find_less_busy(bh)
    } else {
        None
    };
    // A batch that goes to a worker comes back through the queue.
    let worker = worker.filter(|_| queue.expect_decrypted(bh).is_ok());
    let next = peer.rx().lock(bh).admit(keypair, taken, worker.is_some());
    let (seq, counted) = match next {
        RxNext::Inline => {
            let decrypted = open_all(&keypair, run, bh);
            return deliver(&keypair, decrypted, gro, bh);
        }
        RxNext::Drop(reason) => {
            if worker.is_some() {
                queue.unexpect_decrypted(bh);
            }
            return peer.count_drops(drop_for(run, reason), n, bh);
        }
        RxNext::Queued { seq, keypair } => (seq, keypair),
    };
    let mut job = Job {
        seq,
        batch: RxBatch {
            keypair: counted,
            packets: run,
            taken,
        },
    };
    if let Some(worker) = worker {
        match device.workers().offload_decrypt(job, &worker, bh) {
            Ok(()) => return,
            Err(back) => job = back,
        }
        queue.unexpect_decrypted(bh);
    }
    let packets = core::mem::take(&mut job.batch.packets);
    job.batch.packets = open_all(&keypair, packets, bh);
    complete(peer, job, gro, bh);
}

impl Batch for RxBatch {
    /// Decrypts a batch in a worker or its watchdog timer, and hands it back to its receive queue.
    fn process(mut job: Job<Self>, bh: &Bh<'_>) {
        let batch = &mut job.batch;
        let keypair = batch.keypair.clone();
        let mut packets = SkbList::new();
        packets.append(&mut batch.packets);
        batch.packets = open_all(&keypair, packets, bh);
        let peer = keypair.peer();
        let Some(napi) = peer.device().data().napi(peer.napi_index(), bh) else {
            return forget_batches(peer.rx(), bh);
        };
        match napi.queue().push_decrypted(job, bh) {
            Ok(()) => napi.schedule(bh),
            // The interface is down; batches behind this one would wait for ever.
            Err(job) => {
                drop(job);
                forget_batches(peer.rx(), bh);
            }
        }
    }
}
