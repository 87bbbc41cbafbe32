// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface.

mod batch;
mod deferred;
mod queue;
mod staged;

pub(crate) use batch::TxBatch;
pub(crate) use queue::Tx;
pub(crate) use deferred::arm_watchdog;

use crate::{
    device::Device,
    endpoint::DisplayIp,
    keypair::Keypair,
    packet::PacketCb,
    parallel::{
        cpu_load::MAX_TX_SINCE_SOFTIRQ,
        reorder::Job,
        stream::JiffyStamp,
        worker::{
            is_nested,
            Batch,
            IdleWorker, //
        }, //
    },
    path::Path,
    peer::Peer,
    receive::RxBatch,
    timers, //
};
use batch::{
    complete,
    finish_inline,
    seal_all,
    send_ready,
    transmit, //
};
use deferred::defer;
use kernel::prelude::*;
use kext::compat::code::{
    EDESTADDRREQ,
    ENOKEY,
    EPROTONOSUPPORT, //
};
use kext::{
    context::Bh,
    debug_ratelimited,
    net::{
        device::Running,
        skb::{
            IpAddrs,
            Layout,
            List,
            Segmented,
            SkBuff, //
        }, //
    },
    sync::rcu::Ref,
    time, //
};
use queue::{
    discarded,
    dropped,
    make_room,
    Deferred,
    Staged,
    MAX_STAGED_PACKETS, //
};
use staged::Packets;
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    prefix::Address,
    DropReason, //
};

/// Head room of an outgoing message: ours, UDP, IPv6 and what the stack reserves, aligned.
pub(crate) const HEADROOM: usize = 128;

/// Tail room for what encryption adds: padding, the tag, and what lets it be computed in one pass.
const TAILROOM: usize = 3 * TAG_LEN;

/// Returns how this CPU makes messages of a packet to a peer, whose path has this MTU.
///
/// As one GSO packet, if that is possible and `pays`.
fn layout<'a>(
    peer: &'a Peer,
    mtu: u32,
    pays: bool,
    bh: &Bh<'_>,
) -> Layout<'a, impl Fn(usize) -> usize + use<>> {
    // What waits for a session must not keep large pages.
    let has_session = peer.current(bh).is_some_and(|current| current.may_send());
    let device = peer.device().data();
    Layout {
        headroom: HEADROOM,
        header: DataHeader::LEN,
        // CAST: From small to large.
        trailer: move |len| padding(len, mtu as usize).saturating_add(TAG_LEN),
        tailroom: TAILROOM,
        pages: peer.device().pages(bh),
        may_gso: pays
            && has_session
            && peer.takes_gso()
            && device.may_gso()
            && !device.is_rewritten(),
    }
}

/// Sends the packets of one `ndo_start_xmit` to the peer that its destination belongs to.
///
/// On failure the sender gets the error and, for reasons that it can do something about, an ICMP message.
pub(crate) fn xmit(dev: Running<'_, Device>, mut skb: SkBuff, bh: &Bh<'_>) -> Result {
    let device = dev.data();
    let Some(addresses) = skb.ip_version_checked().and_then(|_| skb.inner_addresses()) else {
        debug_ratelimited!("{}: Invalid IP packet\n", dev.name());
        device.drops().count(DropReason::TxProtocol);
        dev.count_tx_error();
        return Err(EPROTONOSUPPORT);
    };
    let count = |reason: DropReason| {
        device.drops().count(reason);
        dev.count_tx_error();
    };
    let refused = |mut skb: SkBuff, reason: DropReason, error: Error| {
        skb.icmp_unreachable(dev);
        count(reason);
        Err(error)
    };
    let Some(peer) = device.allowed_ips().lookup(destination(&addresses), bh) else {
        debug_ratelimited!(
            "{}: No peer has allowed IPs matching {}\n",
            dev.name(),
            DisplayIp(destination(&addresses))
        );
        return refused(skb, DropReason::TxNoPeer, ENOKEY);
    };
    if !peer.has_endpoint() {
        debug_ratelimited!(
            "{}: No valid endpoint has been configured or discovered for peer {}\n",
            dev.name(),
            peer.number()
        );
        return refused(skb, DropReason::TxNoEndpoint, EDESTADDRREQ);
    }
    // Once for all segments, and before encryption: queues on the way still see the inner flows.
    skb.hash(dev);
    let cb = PacketCb {
        mtu_or_index: skb.path_mtu(dev.mtu()),
        ds: skb.ecn_encap(),
        ..PacketCb::default()
    };
    // See `StreamDetector`: no data, and no sign of a stream of its own either.
    let is_ack = skb.is_bare_ack();
    if !is_ack {
        peer.tx_seen().set();
    }
    let is_answer = is_ack || peer.rx_seen().take();
    let pays = peer.gathers_gso() || !skb.is_udp_gso();
    let layout = layout(&peer, cb.mtu_or_index, pays, bh);
    let packets = skb.segment(dev, &layout, bh);
    let mut packets = packets.inspect_err(|_| count(DropReason::TxSegmentation))?;
    for mut packet in packets.iter_mut() {
        *packet.cb_mut() = cb;
    }
    submit(peer, Packets::of(packets), is_answer, bh);
    Ok(())
}

fn destination(addresses: &IpAddrs) -> Address {
    match *addresses {
        IpAddrs::V4 { dst, .. } => Address::V4(dst),
        IpAddrs::V6 { dst, .. } => Address::V6(dst),
    }
}

/// Sends packets, or stages them.
///
/// Back-to-back single packets are deferred to a worker, which sends everything staged by the time it
/// runs. A sender that waits for an answer is not delayed. A worker also sends bursts so large that
/// this CPU has to run softirqs in between, and packets of transmissions nested so deep that
/// encryption would take too much of the stack.
fn submit(peer: Ref<'_, Peer>, packets: Packets, is_answer: bool, bh: &Bh<'_>) {
    let device = peer.device().data();
    let keypair = peer.current(bh).filter(|current| current.may_send());
    let is_for_worker;
    {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        is_for_worker = tx.is_for_worker(device, &packets, is_answer, bh) && keypair.is_some();
        if let Some(keypair) = keypair.filter(|_| !is_for_worker) {
            if let Some(first) = tx.begin_inline(device, &keypair, packets.datagrams(), bh) {
                drop(guard);
                return send_inline(peer, &keypair, first, packets, bh);
            }
        }
        if device.tx_memory().try_charge(packets.bytes(), bh) {
            let staged = tx.stage(peer, packets, keypair.is_some(), is_for_worker, bh);
            drop(guard);
            return after_staging(peer, staged, bh);
        }
    }
    if !make_room(device, packets.bytes(), bh) {
        return discarded(&peer, &packets, DropReason::TxQueueFull);
    }
    let staged = {
        let mut tx = peer.tx().lock(bh);
        tx.stage(peer, packets, keypair.is_some(), is_for_worker, bh)
    };
    after_staging(peer, staged, bh);
}

/// Goes on after packets were staged, at the cost of old ones.
fn after_staging(peer: Ref<'_, Peer>, (next, old): (Staged, Packets), bh: &Bh<'_>) {
    dropped(&peer, old, DropReason::TxStagedOverflow, bh);
    match next {
        Staged::Send => {
            send_some(peer, u32::MAX, bh);
        }
        Staged::Defer => defer(peer, bh),
        Staged::Deferred => {}
    }
}

/// Encrypts and sends packets that have nonces, while the caller drains the reorder queue.
fn send_inline(peer: Ref<'_, Peer>, keypair: &Keypair, first: u64, packets: Packets, bh: &Bh<'_>) {
    let packets = seal_all(keypair, first, packets.into_list(), bh);
    transmit(keypair, packets, bh);
    finish_inline(peer, bh);
}

/// Drops all packets that wait for a session.
pub(crate) fn purge_staged(peer: &Peer, reason: DropReason, bh: &Bh<'_>) {
    let old = peer.tx().lock(bh).take_staged(peer, bh);
    dropped(peer, old, reason, bh);
}

/// Sends an empty packet, or what is staged if there is something.
pub(crate) fn keepalive(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let dev = peer.device();
    if peer.tx().lock(bh).staged.is_empty() {
        let Ok(mut packet) = SkBuff::alloc(HEADROOM, TAG_LEN + DataHeader::LEN) else {
            return;
        };
        *packet.cb_mut() = PacketCb {
            mtu_or_index: dev.mtu(),
            keepalive: 1,
            ..PacketCb::default()
        };
        debug_ratelimited!(
            "{}: Sending keepalive packet to peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.display_remote(bh)
        );
        let mut packets = List::new();
        // It is no GSO packet.
        let Ok(packet) = Segmented::try_from(packet) else {
            return;
        };
        packets.push_back(packet);
        let packets = Packets::of(packets);
        if !make_room(dev.data(), packets.bytes(), bh) {
            return discarded(&peer, &packets, DropReason::TxQueueFull);
        }
        let mut tx = peer.tx().lock(bh);
        tx.staged.append(packets);
        tx.note(peer, bh);
    }
    send_staged(peer, bh);
}

/// Where a batch is encrypted once it has its nonces.
enum SealMode<'w> {
    /// Encrypt and send at once: packets leave from this CPU, and nothing is ahead of these.
    Inline,
    /// Encrypt at once, send in order: others are ahead, or packets leave from another CPU.
    InlineQueued(u64),
    /// Encrypt on another CPU, as this one is busy.
    Offload(u64, IdleWorker<'w, TxBatch, RxBatch>),
}

/// Sends what is staged under the current session; without one, begins a handshake.
pub(crate) fn send_staged(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    // CAST: Small.
    if !send_some(peer, MAX_TX_SINCE_SOFTIRQ as u32, bh) {
        return;
    }
    let is_left = {
        let mut tx = peer.tx().lock(bh);
        let is_left = tx.deferred.is_none() && !tx.staged.is_empty();
        if is_left {
            tx.deferred = Some(Deferred::here(bh));
        }
        is_left
    };
    if is_left {
        defer(peer, bh);
    }
}

/// Sends up to `max` of the datagrams that are staged under the current session; without one,
/// begins a handshake.
///
/// Returns whether there may be more; if not, the staged packets are no longer left to a worker.
fn send_some(peer: Ref<'_, Peer>, max: u32, bh: &Bh<'_>) -> bool {
    let now = time::boottime_coarse();
    let Some(keypair) = peer.current(bh) else {
        wait_for_session(peer, bh);
        // Who has begun a session just now found nothing staged, perhaps, and left the rest to this worker.
        return peer.current(bh).is_some();
    };
    let device = peer.device().data();
    let workers = device.workers();
    let (first, packets, mode, is_tx_cpu) = {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        if tx.staged.is_empty() {
            tx.clear_deferral();
            return false;
        }
        if let Some(worker) = &mut tx.deferred {
            worker.since = JiffyStamp::now();
        }
        let target = workers.offload_target(bh);
        let is_tx_cpu = tx.tx_cpu.claim(bh.cpu());
        let is_here = target.is_none() && is_tx_cpu && tx.reorder.start_draining_if_empty();
        if !is_here && tx.reorder.reserve().is_err() {
            if tx.reorder.in_flight() != 0 {
                tx.deferred = None;
                tx.is_blocked = true;
                return false;
            }
            let packets = tx.staged.take(max);
            tx.note(peer, bh);
            drop(guard);
            dropped(&peer, packets, DropReason::NoMemory, bh);
            return true;
        }
        let packets = tx.staged.take(max);
        let Some(first) = keypair.reserve(u64::from(packets.datagrams()), now) else {
            if is_here {
                tx.reorder.stop_draining();
            }
            tx.staged.prepend(packets);
            drop(guard);
            wait_for_session(peer, bh);
            return false;
        };
        tx.note(peer, bh);
        let mode = match target {
            _ if is_here => SealMode::Inline,
            Some(target) => SealMode::Offload(tx.reorder.assign_seq(), target),
            None => SealMode::InlineQueued(tx.reorder.assign_seq()),
        };
        (first, packets, mode, is_tx_cpu)
    };
    let charge = packets.bytes();
    let (seq, target) = match mode {
        SealMode::Inline => {
            send_inline(peer, &keypair, first, packets, bh);
            device.tx_memory().uncharge(charge, bh);
            // Only the next call looks whether there is more: a worker makes it after softirqs,
            // which may have staged some.
            return true;
        }
        SealMode::InlineQueued(seq) => (seq, None),
        SealMode::Offload(seq, target) => (seq, Some(target)),
    };
    // Others may finish the batch, so it needs a reference that lasts beyond this section.
    let Some(counted) = keypair.upgrade() else {
        dropped(&peer, packets, DropReason::Gone, bh);
        complete(peer, seq, None, bh);
        return true;
    };
    let mut job = Job {
        seq,
        batch: TxBatch {
            keypair: counted,
            packets: packets.into_list(),
            first,
            charge,
        },
    };
    if let Some(target) = target {
        match workers.seal(job, &target, bh) {
            Ok(()) => {
                // Batches that workers have completed leave from here; a busy CPU may not get to
                // them otherwise.
                if is_tx_cpu && !is_nested(bh) {
                    send_ready(peer, bh);
                }
                return true;
            }
            Err(refused) => job = refused,
        }
    }
    Batch::process(job, bh);
    true
}

/// Keeps the staged packets until there is a session, and begins the handshake for it.
fn wait_for_session(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let old = {
        let mut tx = peer.tx().lock(bh);
        // Without a session no more than this would have been staged.
        let old = if tx.clear_deferral() {
            tx.staged.take_beyond(MAX_STAGED_PACKETS)
        } else {
            Packets::new()
        };
        tx.note(peer, bh);
        if tx.staged.is_empty() {
            return;
        }
        // They must not hold up their sockets while they wait.
        tx.staged.orphan();
        old
    };
    dropped(&peer, old, DropReason::TxStagedOverflow, bh);
    if let Some(peer) = peer.upgrade() {
        timers::initiation_wanted(&peer, bh);
    }
}

/// Makes a packet of a message's bytes.
pub(crate) fn datagram(bytes: &[u8]) -> Result<SkBuff, DropReason> {
    let packet = SkBuff::alloc(HEADROOM, bytes.len()).map_err(|_| DropReason::NoMemory)?;
    let mut packet = packet
        .into_linear(HEADROOM, bytes.len())
        .map_err(|_| DropReason::NoMemory)?;
    let room = packet.put(bytes.len()).ok_or(DropReason::NoMemory)?;
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(packet.into_skb())
}

/// Sends a handshake message to a peer.
pub(crate) fn message(peer: &Peer, bytes: &[u8], ds: u8, bh: &Bh<'_>) -> Result<(), DropReason> {
    let packet = datagram(bytes)?;
    let path = Path::to_peer(peer.device(), peer, bh)?;
    path.send(packet, ds, bh)?;
    // CAST: From small to large.
    peer.add_tx_bytes(bytes.len() as u64);
    Ok(())
}
