// SPDX-License-Identifier: GPL-2.0

//! A batch of packets from its nonces to the wire.

use super::{
    deferred::{
        defer,
        watch, //
    },
    layout,
    queue::Due,
    HEADROOM, //
};
use crate::{
    crypto::{
        self,
        SEAL_HEADROOM, //
    },
    device::Device,
    effort::Task,
    keypair::Keypair,
    packet::PacketCb,
    path::Path,
    peer::{
        Peer,
        RELEASE, //
    },
    queueing::Job,
    timers, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    net::{
        device::NetDevice,
        skb::{
            Gso,
            List,
            Packet,
            PageRing,
            Segmented,
            SkBuff,
            LEAD, //
        }, //
    },
    sync::rcu::{
        RcuArc,
        Ref, //
    },
    time,
    workqueue::Run, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    Reject, //
};

/// A batch that other CPUs see.
pub(crate) struct Batch {
    pub(super) keypair: RcuArc<Keypair>,
    pub(super) packets: List<Segmented>,
    /// Its packets own nonces, from this one on.
    pub(super) first: u64,
    /// What it has of the interface's budget.
    pub(super) charge: u32,
}

/// Encrypts a batch, perhaps on another CPU than the one that took it, and hands it back.
pub(crate) fn seal_elsewhere(job: Job<Batch>, bh: &Bh<'_>) {
    let Job { ticket, mut batch } = job;
    let peer = batch.keypair.peer().clone();
    batch.packets = seal_all(&batch.keypair, batch.first, batch.packets, bh);
    give_back(peer.borrow(), ticket, Some(batch), bh);
}

/// Hands a batch back to the order, and has what is due sent if nobody else does that.
pub(super) fn give_back(peer: Ref<'_, Peer>, ticket: u64, batch: Option<Batch>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let (due, outlet) = {
        let mut tx = peer.tx().lock(bh);
        // Nothing resets this order, so nothing is given back.
        let _ = tx.order.put(ticket, batch);
        let outlet = tx.outlet.cpu();
        let is_here = outlet == bh.cpu();
        (
            tx.due(|| if is_here { workers.room(bh) } else { 0 }),
            outlet,
        )
    };
    if release_due(peer, due, bh) {
        leave_to(outlet, peer);
    }
}

/// Sends the batches that are due, if nobody else does.
///
/// Others may finish batches as fast as they are sent here: after some of them, a work item goes on, so that a sender
/// does not send for all, and that softirqs have their turn.
pub(super) fn release(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if release_some(peer, bh) {
        leave_to(bh.cpu(), peer);
    }
}

/// Has a CPU send the batches that are due.
fn leave_to(cpu: u32, peer: Ref<'_, Peer>) {
    // What is due has a session that holds the peer: without it there is nothing.
    if let Some(peer) = peer.upgrade() {
        let workers = peer.device().data().workers();
        let _ = workers.queue().enqueue_on(cpu, &peer.release_work, &peer);
        watch(&peer);
    }
}

/// Sends some batches that are due, if nobody else does. Returns whether more are.
fn release_some(peer: Ref<'_, Peer>, bh: &Bh<'_>) -> bool {
    let workers = peer.device().data().workers();
    let due = peer.tx().lock(bh).due(|| workers.room(bh));
    release_due(peer, due, bh)
}

/// Sends the batch that was taken and those that are due after it. Returns whether more are.
fn release_due(peer: Ref<'_, Peer>, mut due: Due, bh: &Bh<'_>) -> bool {
    let device = peer.device().data();
    loop {
        let (batch, mut room) = match due {
            Due::Now(batch, room) => (batch, room),
            Due::Later => return true,
            Due::Nothing => return false,
        };
        if let Some(batch) = batch {
            room = room.saturating_sub(batch.packets.segs());
            transmit(&batch.keypair, batch.packets, bh);
            device.budget().give(batch.charge, bh);
        }
        let goes_on;
        (due, goes_on) = peer.tx().lock(bh).released(room, bh);
        if goes_on {
            defer(peer, bh);
        }
    }
}

/// Gives up the turn that was taken for packets which are sent by now, and sends the batches that
/// have become due.
pub(super) fn end_turn(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let due = {
        let mut tx = peer.tx().lock(bh);
        tx.order.end_turn();
        tx.due(|| workers.room(bh))
    };
    if release_due(peer, due, bh) {
        leave_to(bh.cpu(), peer);
    }
}

impl Run<RELEASE> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        this.device().data().workers().has_come(&ctx.bh());
        while release_some(this.borrow(), &ctx.bh()) {
            // A task of a higher class may keep this thread from going on.
            watch(&this);
            ctx.cond_resched();
        }
    }
}

/// Encrypts packets under consecutive nonces. Those that fail are dropped and counted.
pub(super) fn seal_all(
    keypair: &Keypair,
    first: u64,
    mut packets: List<Segmented>,
    bh: &Bh<'_>,
) -> List<Segmented> {
    let dev = keypair.peer().device();
    let device = dev.data();
    let efforts = device.workers().efforts();
    efforts.note(Task::Seal, packets.segs(), bh, || {
        let mut pages = dev.pages(bh).lock(bh);
        let mut sealed = List::new();
        let mut nonce = first;
        while let Some(packet) = gather(keypair.peer(), &mut packets, &mut pages, bh) {
            // CAST: From small to large.
            let segs = packet.segs() as u64;
            let result = match packet.into_gso() {
                Ok(gso) => seal_gso(keypair, nonce, gso),
                Err(packet) => seal(keypair, nonce, packet),
            };
            match result {
                Ok(packet) => sealed.push_back(packet),
                Err(reason) => device.drops().add(reason, segs),
            }
            nonce = nonce.wrapping_add(segs);
        }
        sealed
    })
}

/// Takes the next packet, or makes one GSO packet of the next ones.
fn gather(
    peer: &Peer,
    packets: &mut List<Segmented>,
    pages: &mut PageRing,
    bh: &Bh<'_>,
) -> Option<Segmented> {
    if packets.len() < 2 || !peer.gathers_gso() {
        return packets.pop_front();
    }
    let first = packets.front()?;
    let mtu = first.cb::<PacketCb>().mtu_or_index;
    let layout = layout(peer, mtu, true, bh);
    let gathered = Gso::gather(packets, &layout, pages, bh, |first, next| {
        let (first, next) = (first.cb::<PacketCb>(), next.cb::<PacketCb>());
        next.ds == first.ds && next.mtu_or_index == first.mtu_or_index
    });
    match gathered {
        Some(gso) => Some(gso.into()),
        None => packets.pop_front(),
    }
}

/// Encrypts the packets of a GSO packet, and puts the header in front of each.
fn seal_gso(keypair: &Keypair, first: u64, mut gso: Gso) -> Result<Segmented, Reject> {
    // What encryption overwrites in front of a packet, without our header: the end of the message
    // before.
    const { assert!(LEAD == SEAL_HEADROOM - DataHeader::LEN) };
    let keys = keypair.keys();
    let mut nonce = first;
    let mut slots = gso.slots();
    while let Some(mut slot) = slots.next() {
        let text = slot
            .len()
            .checked_sub(DataHeader::LEN + TAG_LEN)
            .ok_or(Reject::TxEncrypt)?;
        let bytes = slot.bytes_mut();
        let saved = *bytes.first_chunk::<LEAD>().ok_or(Reject::TxEncrypt)?;
        if !crypto::seal(&keys.sending, nonce, bytes, text) {
            return Err(Reject::TxEncrypt);
        }
        let (before, message) = bytes
            .split_first_chunk_mut::<LEAD>()
            .ok_or(Reject::TxEncrypt)?;
        *before = saved;
        message
            .first_chunk_mut::<{ DataHeader::LEN }>()
            .ok_or(Reject::TxEncrypt)?
            .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
        nonce = nonce.wrapping_add(1);
    }
    gso.reset_for_encap();
    Ok(gso.into())
}

/// Pads and encrypts a packet, and puts the header in front.
fn seal(keypair: &Keypair, nonce: u64, mut packet: SkBuff) -> Result<Segmented, Reject> {
    let mtu = packet.cb::<PacketCb>().mtu_or_index;
    let len = packet.len();
    // CAST: From small to large.
    let padding = padding(len, mtu as usize);
    let trailer = padding.saturating_add(TAG_LEN);
    packet.finish_checksum().map_err(|_| Reject::TxEncrypt)?;
    let mut packet = packet
        .into_linear(HEADROOM, trailer)
        .map_err(|_| Reject::NoMemory)?;
    packet.put(trailer).ok_or(Reject::TxEncrypt)?;
    let message = packet.len();
    let text = len.saturating_add(padding);
    let _ = packet.put(crypto::slack(text));
    packet.push(SEAL_HEADROOM).ok_or(Reject::TxEncrypt)?;
    let keys = keypair.keys();
    if !crypto::seal(&keys.sending, nonce, packet.bytes_mut(), text) {
        return Err(Reject::TxEncrypt);
    }
    packet.trim(message.saturating_add(SEAL_HEADROOM));
    packet
        .pull(SEAL_HEADROOM - DataHeader::LEN)
        .ok_or(Reject::TxEncrypt)?;
    packet
        .bytes_mut()
        .first_chunk_mut::<{ DataHeader::LEN }>()
        .ok_or(Reject::TxEncrypt)?
        .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
    let mut packet = packet.into_skb();
    packet.reset_for_encap();
    Segmented::try_from(packet).map_err(|_| Reject::TxEncrypt)
}

/// Makes single datagrams of a GSO packet.
fn split(dev: &NetDevice<Device>, packet: Segmented, bh: &Bh<'_>) -> List<Segmented> {
    let segs = packet.segs();
    let singles = packet.into_singles(HEADROOM, &mut dev.pages(bh).lock(bh), bh);
    let lost = segs.saturating_sub(singles.segs());
    if lost > 0 {
        // CAST: From small to large.
        dev.data().drops().add(Reject::NoMemory, lost as u64);
    }
    singles
}

/// Hands encrypted packets to the UDP socket and tells the timers.
pub(super) fn transmit(keypair: &Keypair, mut packets: List<Segmented>, bh: &Bh<'_>) {
    let peer = keypair.peer();
    let dev = peer.device();
    if packets.is_empty() {
        return;
    }
    timers::authenticated_sent(peer, bh);
    let efforts = dev.data().workers().efforts();
    efforts.sent(packets.segs(), bh);
    match Path::to_peer(dev, peer, bh) {
        Ok(path) => {
            let mut bytes: u64 = 0;
            while let Some(packet) = packets.pop_front() {
                // The route or the rules may have changed since the packet was made.
                let is_single = dev.data().is_rewritten() || !path.takes_gso();
                if packet.segs() > 1 && is_single {
                    packets.prepend(&mut split(dev, packet, bh));
                    continue;
                }
                let cb = *packet.cb::<PacketCb>();
                // Not afterwards: an answer that overtakes it would not end the wait.
                if cb.keepalive == 0 {
                    timers::data_sent(peer, bh);
                }
                // CAST: From small to large.
                let (len, segs) = (packet.as_skb().len() as u64, packet.segs() as u64);
                match path.send(packet, cb.ds, bh) {
                    Ok(()) => bytes = bytes.saturating_add(len),
                    Err(reason) => dev.data().drops().add(reason, segs),
                }
            }
            peer.add_tx_bytes(bytes);
        }
        // CAST: From small to large.
        Err(reason) => dev.data().drops().add(reason, packets.segs() as u64),
    }
    let now = time::boottime_coarse();
    let rekey = peer
        .current(bh)
        .is_some_and(|current| current.rekeys_on_send(now));
    if rekey {
        timers::initiation_wanted(peer, bh);
    }
}
