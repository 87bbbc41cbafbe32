// SPDX-License-Identifier: GPL-2.0

//! A batch of datagrams from its place in the order to its delivery.

use super::{
    delivery::deliver,
    open::open,
    reset, //
};
use crate::{
    device::Device,
    keypair::Keypair,
    parallel::{
        cpu_load::Task,
        reorder::Job,
        worker, //
    },
    peer::Peer, //
};
use kext::{
    context::Bh,
    net::{
        napi::Gro,
        skb, //
    },
    sync::rcu::RcuArc, //
};
use wg_proto::DropReason;

/// A run of received messages of one session, which any CPU may decrypt.
pub(crate) struct RxBatch {
    pub(super) keypair: RcuArc<Keypair>,
    pub(super) packets: skb::List,
    /// How many there were before decryption.
    pub(super) taken: usize,
}

impl RxBatch {
    /// Returns whose packets these are.
    pub(crate) fn peer(&self) -> &RcuArc<Peer> {
        self.keypair.peer()
    }
}

impl Drop for RxBatch {
    fn drop(&mut self) {
        // The interface is down, or was meanwhile.
        // CAST: From small to large.
        let n = self.packets.len() as u64;
        if n != 0 {
            let device = self.keypair.peer().device().data();
            device.drops().add(DropReason::Gone, n);
        }
    }
}

impl worker::Batch for RxBatch {
    /// Decrypts a batch on another CPU than the one that received it, and hands it back to its
    /// receive queue.
    fn process(mut job: Job<Self>, bh: &Bh<'_>) {
        let batch = &mut job.batch;
        let keypair = batch.keypair.clone();
        let mut packets = skb::List::new();
        packets.append(&mut batch.packets);
        batch.packets = open_all(&keypair, packets, bh);
        let peer = keypair.peer();
        let Some(queue) = peer.device().data().rx_queue(peer.queue(), bh) else {
            return reset(peer, bh);
        };
        match queue.queue().push_opened(job, bh) {
            Ok(()) => queue.schedule(bh),
            // The interface is down; batches behind this one would wait for ever.
            Err(job) => {
                drop(job);
                reset(peer, bh);
            }
        }
    }
}

/// Completes a decrypted batch, and delivers ready batches. Returns how many packets these were.
pub(super) fn complete(
    peer: &RcuArc<Peer>,
    job: Job<RxBatch>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let (old, mut next) = {
        let mut rx = peer.rx().lock(bh);
        let old = rx.reorder.complete(job.seq, Some(job.batch)).err();
        (old, rx.reorder.take_head())
    };
    drop(old);
    while let Some(batch) = next {
        let mut taken: usize = 0;
        if let Some(mut batch) = batch {
            let packets = core::mem::take(&mut batch.packets);
            taken = batch.taken;
            work = work.saturating_add(packets.len());
            deliver(&batch.keypair, packets, gro, bh);
        }
        let mut rx = peer.rx().lock(bh);
        rx.packets = rx.packets.saturating_sub(taken);
        rx.reorder.head_released();
        next = rx.reorder.take_head();
    }
    work
}

/// Decrypts packets. Those that fail are dropped and counted.
pub(super) fn open_all(keypair: &Keypair, mut packets: skb::List, bh: &Bh<'_>) -> skb::List {
    let dev = keypair.peer().device();
    let device = dev.data();
    let loads = device.workers().loads();
    loads.account(Task::Open, packets.len(), bh, || {
        let mut pages = dev.pages(bh).lock(bh);
        let mut opened = skb::List::new();
        while let Some(packet) = packets.pop_front() {
            match open(keypair, packet, &mut pages, bh) {
                Ok(packet) => opened.push_back(packet),
                Err(reason) => device.drops().count(reason),
            }
        }
        opened
    })
}
