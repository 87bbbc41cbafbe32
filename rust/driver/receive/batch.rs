// SPDX-License-Identifier: GPL-2.0

//! A batch of datagrams from its place in the order to its delivery.

use super::{
    delivery::deliver,
    open::open,
    reset, //
};
use crate::{
    device::Device,
    effort::Task,
    keypair::Keypair,
    peer::Peer,
    queueing::Job, //
};
use kext::{
    context::Bh,
    net::{
        napi::Gro,
        skb, //
    },
    sync::rcu::RcuArc, //
};
use wg_proto::Reject;

/// A batch that other CPUs see.
pub(crate) struct Batch {
    pub(super) keypair: RcuArc<Keypair>,
    pub(super) packets: skb::List,
    /// How many there were before decryption.
    pub(super) taken: usize,
}

impl Batch {
    /// Returns whose packets these are.
    pub(crate) fn peer(&self) -> &RcuArc<Peer> {
        self.keypair.peer()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // The interface is down, or was meanwhile.
        // CAST: From small to large.
        let n = self.packets.len() as u64;
        if n != 0 {
            let device = self.keypair.peer().device().data();
            device.drops().add(Reject::Gone, n);
        }
    }
}

/// Decrypts a batch on another CPU than the one that received it, and hands it back to its queue.
pub(crate) fn open_elsewhere(mut job: Job<Batch>, bh: &Bh<'_>) {
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
        // The interface is down; whoever waited for this batch would wait for ever.
        Err(job) => {
            drop(job);
            reset(peer, bh);
        }
    }
}

/// Puts a decrypted batch in order and delivers what is due. Returns how many packets that were.
pub(super) fn give_back(
    peer: &RcuArc<Peer>,
    job: Job<Batch>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let (old, mut next) = {
        let mut rx = peer.rx().lock(bh);
        let old = rx.order.put(job.ticket, Some(job.batch)).err();
        (old, rx.order.take_due())
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
        rx.order.release();
        next = rx.order.take_due();
    }
    work
}

/// Decrypts packets. Those that fail are dropped and counted.
pub(super) fn open_all(keypair: &Keypair, mut packets: skb::List, bh: &Bh<'_>) -> skb::List {
    let dev = keypair.peer().device();
    let device = dev.data();
    let efforts = device.workers().efforts();
    efforts.note(Task::Open, packets.len(), bh, || {
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
