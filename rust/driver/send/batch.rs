// SPDX-License-Identifier: GPL-2.0

//! A batch of packets from its nonces to the wire.

use super::{
    deferred::{
        arm_watchdog, //
        defer,
    },
    layout,
    queue::Head,
    HEADROOM, //
};
use crate::{
    crypto::{
        self,
        SEAL_HEADROOM, //
    },
    device::Device,
    keypair::Keypair,
    packet::PacketCb,
    parallel::{
        cpu_load::Task,
        reorder::Job,
        worker::Batch, //
    },
    path::Path,
    peer::{
        Peer,
        DRAIN, //
    },
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
    workqueue::WorkItem, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    DropReason, //
};

/// Packets of one session with consecutive nonces, which any CPU may encrypt.
pub(crate) struct TxBatch {
    pub(super) keypair: RcuArc<Keypair>,
    pub(super) packets: List<Segmented>,
    /// Its packets own nonces, from this one on.
    pub(super) first: u64,
    /// Bytes charged to the interface's memory.
    pub(super) charge: u32,
}

impl Batch for TxBatch {
    /// Encrypts a batch, perhaps on another CPU than the one that took its nonces.
    fn process(job: Job<Self>, bh: &Bh<'_>) {
        let Job { seq, mut batch } = job;
        let peer = batch.keypair.peer().clone();
        batch.packets = seal_all(&batch.keypair, batch.first, batch.packets, bh);
        complete(peer.borrow(), seq, Some(batch), bh);
    }
}

/// Completes a batch, and sends ready batches here or has their CPU send them.
pub(super) fn complete(peer: Ref<'_, Peer>, seq: u64, batch: Option<TxBatch>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let (head, tx_cpu) = {
        let mut tx = peer.tx().lock(bh);
        // Nothing resets this order, so nothing is given back.
        let _ = tx.reorder.complete(seq, batch);
        let tx_cpu = tx.tx_cpu.cpu();
        let is_here = tx_cpu == bh.cpu();
        (
            tx.take_ready(|| if is_here { workers.tx_budget(bh) } else { 0 }),
            tx_cpu,
        )
    };
    if drain(peer, head, bh) {
        kick(tx_cpu, peer);
    }
}

/// Sends ready batches, unless somebody else drains the queue.
///
/// Workers may complete batches as fast as this CPU sends them. After its budget a work item goes on,
/// so that one sender does not send for all, and so that this CPU runs softirqs.
pub(super) fn send_ready(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if send_some_ready(peer, bh) {
        kick(bh.cpu(), peer);
    }
}

/// Has a CPU send ready batches.
fn kick(cpu: u32, peer: Ref<'_, Peer>) {
    // A ready batch has a session, which holds the peer. Without references there is none.
    if let Some(peer) = peer.upgrade() {
        let workers = peer.device().data().workers();
        let _ = workers.queue().enqueue_on(cpu, &peer.drain_work, &peer);
        arm_watchdog(&peer);
    }
}

/// Sends ready batches up to the budget, unless somebody else drains. Returns whether more are ready.
fn send_some_ready(peer: Ref<'_, Peer>, bh: &Bh<'_>) -> bool {
    let workers = peer.device().data().workers();
    let head = peer.tx().lock(bh).take_ready(|| workers.tx_budget(bh));
    drain(peer, head, bh)
}

/// Sends the batch that was taken, and those that are ready behind it. Returns whether more are.
fn drain(peer: Ref<'_, Peer>, mut head: Head, bh: &Bh<'_>) -> bool {
    let device = peer.device().data();
    loop {
        let (batch, mut budget) = match head {
            Head::Ready(batch, budget) => (batch, budget),
            Head::Deferred => return true,
            Head::NotReady => return false,
        };
        if let Some(batch) = batch {
            budget = budget.saturating_sub(batch.packets.segs());
            transmit(&batch.keypair, batch.packets, bh);
            device.tx_memory().uncharge(batch.charge, bh);
        }
        let goes_on;
        (head, goes_on) = peer.tx().lock(bh).head_sent(budget, bh);
        if goes_on {
            defer(peer, bh);
        }
    }
}

/// Ends draining after packets were sent inline, and sends the batches that got ready meanwhile.
pub(super) fn finish_inline(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let workers = peer.device().data().workers();
    let head = {
        let mut tx = peer.tx().lock(bh);
        tx.reorder.stop_draining();
        tx.take_ready(|| workers.tx_budget(bh))
    };
    if drain(peer, head, bh) {
        kick(bh.cpu(), peer);
    }
}

impl WorkItem<DRAIN> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        this.device().data().workers().note_ran(&ctx.bh());
        while send_some_ready(this.borrow(), &ctx.bh()) {
            // A task of a higher class may keep this thread from going on.
            arm_watchdog(&this);
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
    let loads = device.workers().loads();
    loads.account(Task::Seal, packets.segs(), bh, || {
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
fn seal_gso(keypair: &Keypair, first: u64, mut gso: Gso) -> Result<Segmented, DropReason> {
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
            .ok_or(DropReason::TxEncrypt)?;
        let bytes = slot.bytes_mut();
        let saved = *bytes.first_chunk::<LEAD>().ok_or(DropReason::TxEncrypt)?;
        if !crypto::seal(&keys.sending, nonce, bytes, text) {
            return Err(DropReason::TxEncrypt);
        }
        let (before, message) = bytes
            .split_first_chunk_mut::<LEAD>()
            .ok_or(DropReason::TxEncrypt)?;
        *before = saved;
        message
            .first_chunk_mut::<{ DataHeader::LEN }>()
            .ok_or(DropReason::TxEncrypt)?
            .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
        nonce = nonce.wrapping_add(1);
    }
    gso.reset_for_encap();
    Ok(gso.into())
}

/// Pads and encrypts a packet, and puts the header in front.
fn seal(keypair: &Keypair, nonce: u64, mut packet: SkBuff) -> Result<Segmented, DropReason> {
    let mtu = packet.cb::<PacketCb>().mtu_or_index;
    let len = packet.len();
    // CAST: From small to large.
    let padding = padding(len, mtu as usize);
    let trailer = padding.saturating_add(TAG_LEN);
    packet
        .finish_checksum()
        .map_err(|_| DropReason::TxEncrypt)?;
    let mut packet = packet
        .into_linear(HEADROOM, trailer)
        .map_err(|_| DropReason::NoMemory)?;
    packet.put(trailer).ok_or(DropReason::TxEncrypt)?;
    let message = packet.len();
    let text = len.saturating_add(padding);
    let _ = packet.put(crypto::slack(text));
    packet.push(SEAL_HEADROOM).ok_or(DropReason::TxEncrypt)?;
    let keys = keypair.keys();
    if !crypto::seal(&keys.sending, nonce, packet.bytes_mut(), text) {
        return Err(DropReason::TxEncrypt);
    }
    packet.trim(message.saturating_add(SEAL_HEADROOM));
    packet
        .pull(SEAL_HEADROOM - DataHeader::LEN)
        .ok_or(DropReason::TxEncrypt)?;
    packet
        .bytes_mut()
        .first_chunk_mut::<{ DataHeader::LEN }>()
        .ok_or(DropReason::TxEncrypt)?
        .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
    let mut packet = packet.into_skb();
    packet.reset_for_encap();
    Segmented::try_from(packet).map_err(|_| DropReason::TxEncrypt)
}

/// Makes single datagrams of a GSO packet.
fn split(dev: &NetDevice<Device>, packet: Segmented, bh: &Bh<'_>) -> List<Segmented> {
    let segs = packet.segs();
    let singles = packet.into_singles(HEADROOM, &mut dev.pages(bh).lock(bh), bh);
    let lost = segs.saturating_sub(singles.segs());
    if lost > 0 {
        // CAST: From small to large.
        dev.data().drops().add(DropReason::NoMemory, lost as u64);
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
    let loads = dev.data().workers().loads();
    loads.note_tx(packets.segs(), bh);
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
