// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface.

use crate::{
    crypto,
    device::Device,
    drops::Drops,
    effort::Task,
    keypair::Keypair,
    packet::PacketCb,
    peer::{
        Peer,
        Place, //
    },
    peerlookup::Target,
    queueing::{
        Job,
        Order, //
    },
    rx_queue::Queue,
    send,
    socket::{
        Endpoint,
        Shown, //
    },
    timers, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    debug_ratelimited,
    net::{
        device::NetDevice,
        napi::{
            Gro,
            Napi, //
        },
        skb::{
            self,
            IpAddrs,
            SkBuff, //
        }, //
    },
    random,
    sync::rcu::RcuArc,
    time, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::{
        DataHeader,
        Kind, //
    },
    prefix::Address,
    session::REJECT_AFTER_MESSAGES,
    Reject, //
};

/// Packets of one session that are decrypted as one batch when CPUs share the work.
const SHARED_RUN: usize = 16;

/// Packets of one peer that may be with workers, or wait for those, at once. (A test fills this up a thousand times.)
const MAX_SHARED_PACKETS: usize = if cfg!(wg_faults) { 1024 } else { 4096 };

/// A batch that other CPUs see.
pub(crate) struct Batch {
    keypair: RcuArc<Keypair>,
    packets: skb::List,
    /// How many there were before decryption.
    taken: usize,
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

/// The order in which a peer's packets are delivered.
pub(crate) struct Rx {
    order: Order<Batch>,
    /// How many packets have a place in that order.
    packets: usize,
}

impl Rx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            order: Order::new(),
            packets: 0,
        }
    }
}

/// Data messages of one session, in a row.
struct Run<'g> {
    /// The index of the session, and who decrypts them.
    session: Option<(u32, &'g Napi<Device>)>,
    packets: skb::List,
}

impl Run<'_> {
    /// Leaves the messages so far to who decrypts them.
    fn end(&mut self, drops: &Drops, bh: &Bh<'_>) {
        let Some((_, napi)) = self.session.take() else {
            return;
        };
        if let Err((reason, n)) = napi.queue().push(core::mem::take(&mut self.packets), bh) {
            drops.add(reason, n);
        }
        napi.schedule(bh);
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
    if run.session.is_none_or(|(last, _)| last != index) {
        run.end(device.drops(), bh);
        let keypair = find_session(device, index, bh).ok_or(Reject::UnknownSession)?;
        let peer = keypair.peer();
        if peer.is_dead() {
            return Err(Reject::Gone);
        }
        let napi = device.rx_queue(peer.queue(), bh).ok_or(Reject::Gone)?;
        run.session = Some((index, napi));
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
    if !random::is_ready() {
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

/// Delivers packets: the NAPI poll of one queue.
pub(crate) fn poll(
    dev: &NetDevice<Device>,
    queue: &Queue,
    gro: &mut Gro<'_, Device>,
    budget: usize,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;

    // What other CPUs have finished comes first, as it is older.
    while work < budget {
        let Some(job) = queue.pop_opened(bh) else {
            break;
        };
        let peer = match &job.batch {
            Some(batch) => batch.keypair.peer().clone(),
            None => continue,
        };
        work = work.saturating_add(give_back(&peer, job, gro, bh));
    }
    while work < budget {
        let left = budget.saturating_sub(work);
        let workers = dev.data().workers();
        let shared = workers.may_help(bh);
        #[cfg(wg_faults)]
        let shared = shared || workers.hold.is_on();
        let max = if shared { left.min(SHARED_RUN) } else { left };
        let Some((index, run)) = queue.take_run(max, bh) else {
            break;
        };
        work = work.saturating_add(run.len());
        receive_run(dev, index, run, shared, gro, bh);
    }
    // More than the budget must not be reported; the rest was delivered anyway.
    work.min(budget)
}

/// Decrypts and delivers packets of one session, or has another CPU decrypt them.
fn receive_run(
    dev: &NetDevice<Device>,
    index: u32,
    run: skb::List,
    shared: bool,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) {
    let device = dev.data();
    let taken = run.len();
    // CAST: From small to large.
    let n = taken as u64;
    let Some(keypair) = find_session(device, index, bh) else {
        return device.drops().add(Reject::UnknownSession, n);
    };
    if let Err(reason) = keypair.check_receive(time::boottime_coarse(), bh) {
        return device.drops().add(reason, n);
    }
    let peer = keypair.peer();
    let helper = if shared {
        device.workers().opener(bh)
    } else {
        None
    };
    if helper.is_none() && peer.rx().lock(bh).order.in_flight() == 0 {
        let opened = open_all(keypair, run, bh);
        deliver(keypair, opened, gro, bh);
        return;
    }
    let Ok(mut job) = Job::new() else {
        return device.drops().add(Reject::NoMemory, n);
    };
    {
        let mut rx = peer.rx().lock(bh);
        // Decryption comes after this: who can send has to be held off before.
        if rx.packets >= MAX_SHARED_PACKETS {
            return device.drops().add(Reject::RxQueueFull, n);
        }
        rx.packets = rx.packets.saturating_add(taken);
        job.set_ticket(rx.order.ticket());
    }
    match helper {
        Some(helper) => {
            job.batch = Some(Batch {
                keypair: keypair.clone(),
                packets: run,
                taken,
            });
            device.workers().open(job, &helper, bh);
        }
        None => {
            job.batch = Some(Batch {
                keypair: keypair.clone(),
                packets: open_all(keypair, run, bh),
                taken,
            });
            give_back(peer, job, gro, bh);
        }
    }
}

/// Decrypts a batch on another CPU than the one that received it, and hands it back to its queue.
pub(crate) fn open_elsewhere(mut job: KBox<Job<Batch>>, bh: &Bh<'_>) {
    let Some(batch) = &mut job.batch else {
        return;
    };
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
fn give_back(
    peer: &RcuArc<Peer>,
    job: KBox<Job<Batch>>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let (old, is_turn) = {
        let mut rx = peer.rx().lock(bh);
        (rx.order.put(job).err(), rx.order.take_turn_if_due())
    };
    drop(old);
    if !is_turn {
        return work;
    }
    let mut next = peer.rx().lock(bh).order.next_or_end();
    while let Some(mut job) = next {
        let mut taken: usize = 0;
        if let Some(mut batch) = job.batch.take() {
            let packets = core::mem::take(&mut batch.packets);
            taken = batch.taken;
            work = work.saturating_add(packets.len());
            deliver(&batch.keypair, packets, gro, bh);
        }
        let mut rx = peer.rx().lock(bh);
        rx.packets = rx.packets.saturating_sub(taken);
        rx.order.release();
        next = rx.order.next_or_end();
    }
    work
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

/// Decrypts packets. Those that fail are dropped and counted.
fn open_all(keypair: &Keypair, mut packets: skb::List, bh: &Bh<'_>) -> skb::List {
    let device = keypair.peer().device().data();
    let efforts = device.workers().efforts();
    efforts.note(Task::Open, packets.len(), bh, || {
        let mut opened = skb::List::new();
        while let Some(packet) = packets.pop_front() {
            match open(keypair, packet) {
                Ok(packet) => opened.push_back(packet),
                Err(reason) => device.drops().count(reason),
            }
        }
        opened
    })
}

/// Decrypts a packet; what remains is the padded inner packet.
fn open(keypair: &Keypair, packet: SkBuff) -> Result<SkBuff, Reject> {
    let counter = packet.cb::<PacketCb>().counter;
    let mut packet = packet.into_linear(0, 0).map_err(|_| Reject::NoMemory)?;
    let text = packet
        .len()
        .checked_sub(DataHeader::LEN + TAG_LEN)
        .ok_or(Reject::BadLength)?;
    let _ = packet.put(crypto::slack(text));
    let body = packet
        .bytes_mut()
        .get_mut(DataHeader::LEN..)
        .ok_or(Reject::BadLength)?;
    if !crypto::open(&keypair.keys().receiving, counter, body, text) {
        return Err(Reject::BadData);
    }
    packet.pull(DataHeader::LEN).ok_or(Reject::BadLength)?;
    packet.trim(text);
    Ok(packet.into_skb())
}

/// Delivers decrypted packets of one session in order.
fn deliver(keypair: &Keypair, mut packets: skb::List, gro: &mut Gro<'_, Device>, bh: &Bh<'_>) {
    let peer = keypair.peer();
    let dev = peer.device();
    let drops = dev.data().drops();
    let mut fresh = skb::List::new();
    {
        let mut window = keypair.window().lock(bh);
        while let Some(packet) = packets.pop_front() {
            let counter = packet.cb::<PacketCb>().counter;
            if window.accept(counter) {
                fresh.push_back(packet);
                continue;
            }
            debug_ratelimited!(
                "{}: Packet has invalid nonce {} (max {})\n",
                dev.name(),
                counter,
                window.next()
            );
            drops.count(if counter < REJECT_AFTER_MESSAGES {
                Reject::ReplayedCounter
            } else {
                Reject::CounterLimit
            });
        }
    }
    // The datagrams of a batch come one after the other: the latest tells where the peer is.
    let source = fresh.back().and_then(|packet| packet.udp_source());
    let Some(endpoint) = source.as_ref().map(Endpoint::of) else {
        return;
    };
    peer.set_endpoint(&endpoint, bh);
    peer.set_heard();
    if peer.is_next(keypair, bh) && peer.confirm(keypair, bh) {
        timers::handshake_complete(peer, bh);
        send::send_staged(peer.borrow(), bh);
    }
    if let Some(current) = peer.current(bh).filter(|current| current.may_send()) {
        timers::received_under(peer, current.age(), time::boottime_coarse(), bh);
    }
    timers::authenticated_received(peer, bh);

    // The second packet tells that one keepalive will not be enough.
    for _ in fresh.iter().filter(|packet| !packet.is_empty()).take(2) {
        timers::data_received(peer, bh);
    }
    let mut bytes: u64 = 0;
    while let Some(packet) = fresh.pop_front() {
        let len = packet.len();
        let message = len.saturating_add(DataHeader::MIN_MESSAGE_LEN);
        if len == 0 {
            debug_ratelimited!(
                "{}: Receiving keepalive packet from peer {} ({})\n",
                dev.name(),
                peer.number(),
                peer.place(bh)
            );
        } else if let Err(reason) = pass_up(dev, peer, packet, gro, bh) {
            drops.count(reason);
            continue;
        }
        if let Some(running) = gro.running() {
            // CAST: A datagram is shorter.
            running.rx_add(message as u32);
        }
        // CAST: From small to large.
        bytes = bytes.saturating_add(message as u64);
    }
    peer.add_rx_bytes(bytes);
}

/// Checks an inner packet and hands it to the stack.
fn pass_up(
    dev: &NetDevice<Device>,
    peer: &RcuArc<Peer>,
    mut packet: SkBuff,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> Result<(), Reject> {
    let ds = packet.cb::<PacketCb>().ds;
    packet.reset_for_decap();
    let bad_header = || {
        debug_ratelimited!(
            "{}: Packet is neither ipv4 nor ipv6 from peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.place(bh)
        );
        dev.count_rx_frame_error();
        Reject::InnerHeader
    };
    let bad_length = || {
        debug_ratelimited!(
            "{}: Packet has incorrect size from peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.place(bh)
        );
        dev.count_rx_length_error();
        Reject::InnerLength
    };
    let version = packet.set_protocol_from_version().ok_or_else(bad_header)?;
    packet.mark_checksum_verified();
    let len = packet.ip_length().ok_or_else(bad_length)?;
    if len < version.header_len() {
        return Err(bad_length());
    }
    packet.ecn_decap(ds);
    if len > packet.len() {
        return Err(bad_length());
    }
    packet.trim(len).map_err(|_| Reject::NoMemory)?;
    let source = match packet.inner_addresses().ok_or_else(bad_header)? {
        IpAddrs::V4 { src, .. } => Address::V4(src),
        IpAddrs::V6 { src, .. } => Address::V6(src),
    };
    let owner = dev.data().allowed_ips().lookup(source, bh);
    if !owner.is_some_and(|owner| owner.ptr_eq(peer)) {
        debug_ratelimited!(
            "{}: Packet has unallowed src IP ({}) from peer {} ({})\n",
            dev.name(),
            Shown(source),
            peer.number(),
            peer.place(bh)
        );
        dev.count_rx_frame_error();
        return Err(Reject::InnerSource);
    }
    if gro.receive(packet) {
        Ok(())
    } else {
        Err(Reject::Gone)
    }
}
