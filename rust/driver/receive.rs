// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface.

mod batch;
mod delivery;
mod gather;
mod open;
mod poll;
mod queue;

pub(crate) use batch::RxBatch;
pub(crate) use poll::{
    poll,
    take_over, //
};
pub(crate) use queue::RxQueue;

use crate::{
    device::Device,
    drops::Drops,
    endpoint::{
        DisplayRemote,
        Endpoint, //
    },
    keypair::Keypair,
    packet::PacketCb,
    parallel::{
        reorder::ReorderQueue,
        stream::{
            self,
            StreamDetector, //
        }, //
    },
    peer::Peer,
    peerlookup::Target, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    debug_ratelimited,
    net::{
        device::NetDevice,
        napi::Napi,
        skb::{
            self,
            SkBuff, //
        }, //
    },
    random,
    sync::rcu::RcuArc,
    time::hrtimer, //
};
use queue::Queued;
use wg_proto::{
    message::{
        DataHeader,
        Kind, //
    },
    DropReason, //
};

/// The order in which a peer's packets are delivered.
pub(crate) struct Rx {
    reorder: ReorderQueue<RxBatch>,
    /// How many packets have a place in that order.
    packets: usize,
    stream: StreamDetector,
    /// Where the peer's datagrams came from last, and the number of the change of its endpoint that
    /// this was.
    pub(crate) seen: Option<(Endpoint, u64)>,
}

impl Rx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            reorder: ReorderQueue::new(),
            packets: 0,
            stream: StreamDetector::new(),
            seen: None,
        }
    }
}

/// Data messages of one session, in a row.
struct SessionRun<'g> {
    /// The index of the session, its peer, and who decrypts them.
    session: Option<(u32, &'g RcuArc<Peer>, &'g Napi<Device>)>,
    packets: skb::List,
}

impl SessionRun<'_> {
    /// Leaves the messages so far to who decrypts them.
    fn end(&mut self, drops: &Drops, bh: &Bh<'_>) {
        let Some((_, peer, napi)) = self.session.take() else {
            return;
        };
        let packets = core::mem::take(&mut self.packets);
        let is_answer = peer.tx_seen().take();
        // An idle CPU has nothing better to do, and what a worker of ours sends to this machine comes
        // in batches.
        let may_wait = packets.len() == 1
            && peer.rx().lock(bh).stream.is_stream(is_answer)
            && !bh.is_idle()
            && !stream::is_worker_sending(bh)
            && hrtimer::is_precise();
        match napi.queue().push(packets, may_wait, bh) {
            Ok(Queued::Poll) => napi.schedule(bh),
            Ok(Queued::Gather) => gather::start(peer, bh),
            Ok(Queued::Waits) => {}
            Err((reason, n)) => {
                drops.add(reason, n);
                napi.schedule(bh);
            }
        }
    }
}

/// Takes datagrams from the UDP socket.
pub(crate) fn datagrams(dev: &NetDevice<Device>, mut datagrams: skb::List, bh: &Bh<'_>) {
    let drops = dev.data().drops();
    let mut run = SessionRun {
        session: None,
        packets: skb::List::new(),
    };
    while let Some(skb) = datagrams.pop_front() {
        if let Err(reason) = sort(dev, skb, &mut run, bh) {
            drops.count(reason);
        }
    }
    run.end(drops, bh);
}

/// Returns the index of the session that the message with this header belongs to, if it is a data message.
pub(crate) fn session_index(header: &[u8]) -> Option<u32> {
    let kind = Kind::of(header, DataHeader::MIN_MESSAGE_LEN).ok()?;
    let (header, _) = DataHeader::parse(header)?;
    (kind == Kind::Data).then(|| header.receiver().get())
}

fn sort<'g>(
    dev: &'g NetDevice<Device>,
    mut skb: SkBuff,
    run: &mut SessionRun<'g>,
    bh: &'g Bh<'_>,
) -> Result<(), DropReason> {
    let device = dev.data();
    skb.strip_udp().map_err(|_| DropReason::BadDatagram)?;
    let len = skb.len();
    let head = skb
        .pull_head(len.min(DataHeader::LEN))
        .ok_or(DropReason::BadLength)?;
    let kind = Kind::of(head, len)?;
    if kind != Kind::Data {
        let source = skb.udp_source();
        return queue_handshake(device, skb, len, bh).inspect_err(|_| {
            debug_ratelimited!(
                "{}: Dropping handshake packet from {}\n",
                dev.name(),
                DisplayRemote(source.and_then(|source| Endpoint::of(&source).remote))
            );
        });
    }
    let (header, _) = DataHeader::parse(head).ok_or(DropReason::BadLength)?;
    let index = header.receiver().get();
    let counter = header.counter();
    if run.session.is_none_or(|(last, ..)| last != index) {
        run.end(device.drops(), bh);
        let keypair = find_session(device, index, bh).ok_or(DropReason::UnknownSession)?;
        let peer = keypair.peer();
        if peer.is_dead() {
            return Err(DropReason::Gone);
        }
        let napi = device.rx_queue(peer.queue(), bh).ok_or(DropReason::Gone)?;
        run.session = Some((index, peer, napi));
    }
    let ds = skb.dsfield();
    *skb.cb_mut() = PacketCb {
        counter,
        mtu_or_index: index,
        ds,
        ..PacketCb::default()
    };
    run.packets.push_back(skb);
    Ok(())
}

fn queue_handshake(
    device: &Device,
    mut skb: SkBuff,
    len: usize,
    bh: &Bh<'_>,
) -> Result<(), DropReason> {
    // An answer takes secrets. The sender will try again, so nothing is kept until they can be
    // drawn.
    if random::is_ready().is_none() {
        return Err(DropReason::RngNotReady);
    }
    skb.pull_head(len).ok_or(DropReason::BadLength)?;
    device
        .handshake_queue()
        .push(skb, device.handshake_receive_wq(), bh)
}

fn find_session<'g>(device: &'g Device, index: u32, bh: &'g Bh<'_>) -> Option<&'g RcuArc<Keypair>> {
    match device.index_table().find(index, bh)?.target() {
        Target::Session(keypair) => Some(keypair),
        Target::Handshake(_) => None,
    }
}

/// Forgets the batches of a peer that are on their way. Its queue must be closed.
pub(crate) fn reset(peer: &Peer, bh: &Bh<'_>) {
    let old = {
        let mut rx = peer.rx().lock(bh);
        rx.packets = 0;
        rx.reorder.reset()
    };
    drop(old);
}
