// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface.

mod batch;
mod delivery;
mod gather;
mod open;

pub(crate) use batch::{
    open_elsewhere,
    Batch, //
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
    peer::{
        Peer,
        RECEIVE, //
    },
    peerlookup::Target,
    queueing::{
        Job,
        Order, //
    },
    rx_queue::{
        Queue,
        Queued, //
    }, //
};
use batch::{
    give_back,
    open_all, //
};
use delivery::deliver;
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    debug_ratelimited,
    net::{
        device::NetDevice,
        napi::{
            Gro,
            Napi, //
        },
        skb::{
            self,
            SkBuff, //
        }, //
    },
    random,
    sync::rcu::RcuArc,
    time::{
        self,
        hrtimer, //
    },
    workqueue, //
};
use wg_proto::{
    message::{
        DataHeader,
        Kind, //
    },
    Reject, //
};

/// Packets of one session that are decrypted as one batch when CPUs share the work.
const SHARED_RUN: usize = 16;

/// Packets of one peer that may be with workers, or wait for those, at once. (A test fills this up a thousand times.)
const MAX_SHARED_PACKETS: usize = if cfg!(wg_faults) { 1024 } else { 4096 };

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

/// Has a worker ask for the poll of the peer's queue.
fn poll_later(peer: &RcuArc<Peer>) {
    let workers = peer.device().data().workers();
    let _ = workers.queue().enqueue(&peer.receive_work, peer);
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

/// Forgets the batches of a peer that are on their way. Its queue must be closed.
pub(crate) fn reset(peer: &Peer, bh: &Bh<'_>) {
    let old = {
        let mut rx = peer.rx().lock(bh);
        rx.packets = 0;
        rx.order.reset()
    };
    drop(old);
}
