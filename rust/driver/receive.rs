// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface.

mod batch;
mod delivery;
mod gather;
mod open;
mod poll;
pub(crate) mod queue;

pub(crate) use batch::{
    open_elsewhere,
    Batch, //
};
pub(crate) use poll::{
    poll,
    take_over, //
};

use crate::{
    device::Device,
    drops::Drops,
    endpoint::{
        Endpoint,
        Place, //
    },
    keypair::Keypair,
    pace::{
        self,
        Pace, //
    },
    packet::PacketCb,
    peer::Peer,
    peerlookup::Target,
    queueing::Order,
    rx_queue::Queued, //
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
use wg_proto::{
    message::{
        DataHeader,
        Kind, //
    },
    Reject, //
};

/// The order in which a peer's packets are delivered.
pub(crate) struct Rx {
    order: Order<Batch>,
    /// How many packets have a place in that order.
    packets: usize,
    pace: Pace,
    /// Where the peer's datagrams came from last, and the number of the change of its endpoint that
    /// this was.
    pub(crate) seen: Option<(Endpoint, u64)>,
}

impl Rx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            order: Order::new(),
            packets: 0,
            pace: Pace::new(),
            seen: None,
        }
    }
}

/// Data messages of one session, in a row.
struct Run<'g> {
    /// The index of the session, its peer, and who decrypts them.
    session: Option<(u32, &'g RcuArc<Peer>, &'g Napi<Device>)>,
    packets: skb::List,
}

impl Run<'_> {
    /// Leaves the messages so far to who decrypts them.
    fn end(&mut self, drops: &Drops, bh: &Bh<'_>) {
        let Some((_, peer, napi)) = self.session.take() else {
            return;
        };
        let packets = core::mem::take(&mut self.packets);
        let is_answer = peer.sent().take();
        // An idle CPU has nothing better to do, and what a worker of ours sends to this machine comes
        // in batches.
        let may_wait = packets.len() == 1
            && peer.rx().lock(bh).pace.is_stream(is_answer)
            && !bh.is_idle()
            && !pace::is_worker_sending(bh)
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
    let mut run = Run {
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
    run: &mut Run<'g>,
    bh: &'g Bh<'_>,
) -> Result<(), Reject> {
    let device = dev.data();
    skb.strip_udp().map_err(|_| Reject::BadDatagram)?;
    let len = skb.len();
    let head = skb
        .pull_head(len.min(DataHeader::LEN))
        .ok_or(Reject::BadLength)?;
    let kind = Kind::of(head, len)?;
    if kind != Kind::Data {
        let source = skb.udp_source();
        return queue_handshake(device, skb, len, bh).inspect_err(|_| {
            debug_ratelimited!(
                "{}: Dropping handshake packet from {}\n",
                dev.name(),
                Place(source.and_then(|source| Endpoint::of(&source).remote))
            );
        });
    }
    let (header, _) = DataHeader::parse(head).ok_or(Reject::BadLength)?;
    let index = header.receiver().get();
    let counter = header.counter();
    if run.session.is_none_or(|(last, ..)| last != index) {
        run.end(device.drops(), bh);
        let keypair = find_session(device, index, bh).ok_or(Reject::UnknownSession)?;
        let peer = keypair.peer();
        if peer.is_dead() {
            return Err(Reject::Gone);
        }
        let napi = device.rx_queue(peer.queue(), bh).ok_or(Reject::Gone)?;
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
) -> Result<(), Reject> {
    // An answer takes secrets. The sender will try again, so nothing is kept until they can be
    // drawn.
    if random::is_ready().is_none() {
        return Err(Reject::RngNotReady);
    }
    skb.pull_head(len).ok_or(Reject::BadLength)?;
    device
        .handshakes()
        .push(skb, device.handshake_receive_queue(), bh)
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
        rx.order.reset()
    };
    drop(old);
}
