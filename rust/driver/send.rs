// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface.

mod batch;
mod deferred;
mod queue;
mod staged;

pub(crate) use batch::{
    seal_elsewhere,
    Batch, //
};
pub(crate) use queue::Tx;
pub(crate) use takeover::watch;

use crate::{
    device::Device,
    effort::MAX_UNBROKEN,
    endpoint::Shown,
    keypair::Keypair,
    pace::Moment,
    packet::PacketCb,
    path::Path,
    peer::Peer,
    queueing::Job,
    timers,
    worker::{
        is_nested,
        Helper, //
    }, //
};
use batch::{
    end_turn,
    give_back,
    release,
    seal_all,
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
    Next,
    MAX_STAGED_PACKETS, //
};
use staged::Packets;
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    prefix::Address,
    Reject, //
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
        device.drops().count(Reject::TxProtocol);
        dev.count_tx_error();
        return Err(EPROTONOSUPPORT);
    };
    let count = |reason: Reject| {
        device.drops().count(reason);
        dev.count_tx_error();
    };
    let refused = |mut skb: SkBuff, reason: Reject, error: Error| {
        skb.icmp_unreachable(dev);
        count(reason);
        Err(error)
    };
    let Some(peer) = device.allowed_ips().lookup(destination(&addresses), bh) else {
        debug_ratelimited!(
            "{}: No peer has allowed IPs matching {}\n",
            dev.name(),
            Shown(destination(&addresses))
        );
        return refused(skb, Reject::TxNoPeer, ENOKEY);
    };
    if !peer.has_endpoint() {
        debug_ratelimited!(
            "{}: No valid endpoint has been configured or discovered for peer {}\n",
            dev.name(),
            peer.number()
        );
        return refused(skb, Reject::TxNoEndpoint, EDESTADDRREQ);
    }
    // Once for all segments, and before encryption: queues on the way still see the inner flows.
    skb.hash(dev);
    let cb = PacketCb {
        mtu_or_index: skb.path_mtu(dev.mtu()),
        ds: skb.ecn_encap(),
        ..PacketCb::default()
    };
    // See `Pace`: no data, and no sign of a stream of its own either.
    let is_ack = skb.is_bare_ack();
    if !is_ack {
        peer.sent().set();
    }
    let is_answer = is_ack || peer.received().take();
    let pays = peer.gathers_gso() || !skb.is_udp_gso();
    let layout = layout(&peer, cb.mtu_or_index, pays, bh);
    let packets = skb.segment(dev, &layout, bh);
    let mut packets = packets.inspect_err(|_| count(Reject::TxSegmentation))?;
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
/// Who sends one packet right after the other, without waiting for one in between, gets them sent by a worker, which takes
/// as many at once as have come until it runs. Who asks and waits for the answer is not held up. A worker also sends what
/// is so much that those who receive it must have their turn in between, and what is nested so deep
/// that encrypting it here would take too much of the stack.
fn submit(peer: Ref<'_, Peer>, packets: Packets, is_answer: bool, bh: &Bh<'_>) {
    let device = peer.device().data();
    let keypair = peer.current(bh).filter(|current| current.may_send());
    let is_for_worker;
    {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        is_for_worker = tx.is_for_worker(device, &packets, is_answer, bh) && keypair.is_some();
        if let Some(keypair) = keypair.filter(|_| !is_for_worker) {
            if let Some(first) = tx.begin_at_once(device, &keypair, packets.datagrams(), bh) {
                drop(guard);
                return send_here(peer, &keypair, first, packets, bh);
            }
        }
        if device.budget().take(packets.bytes(), bh) {
            let staged = tx.stage(peer, packets, keypair.is_some(), is_for_worker, bh);
            drop(guard);
            return go_on(peer, staged, bh);
        }
    }
    if !make_room(device, packets.bytes(), bh) {
        return discarded(&peer, &packets, Reject::TxQueueFull);
    }
    let staged = {
        let mut tx = peer.tx().lock(bh);
        tx.stage(peer, packets, keypair.is_some(), is_for_worker, bh)
    };
    go_on(peer, staged, bh);
}

/// Goes on after packets were staged, at the cost of old ones.
fn go_on(peer: Ref<'_, Peer>, (next, old): (Next, Packets), bh: &Bh<'_>) {
    dropped(&peer, old, Reject::TxStagedOverflow, bh);
    match next {
        Next::Send => {
            send_some(peer, u32::MAX, bh);
        }
        Next::Defer => defer(peer, bh),
        Next::Deferred => {}
    }
}

/// Encrypts and sends packets that have nonces and the turn.
fn send_here(peer: Ref<'_, Peer>, keypair: &Keypair, first: u64, packets: Packets, bh: &Bh<'_>) {
    let packets = seal_all(keypair, first, packets.into_list(), bh);
    transmit(keypair, packets, bh);
    end_turn(peer, bh);
}

/// Drops all packets that wait for a session.
pub(crate) fn purge_staged(peer: &Peer, reason: Reject, bh: &Bh<'_>) {
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
            peer.place(bh)
        );
        let mut packets = List::new();
        // It is no GSO packet.
        let Ok(packet) = Segmented::try_from(packet) else {
            return;
        };
        packets.push_back(packet);
        let packets = Packets::of(packets);
        if !make_room(dev.data(), packets.bytes(), bh) {
            return discarded(&peer, &packets, Reject::TxQueueFull);
        }
        let mut tx = peer.tx().lock(bh);
        tx.staged.append(packets);
        tx.note(peer, bh);
    }
    send_staged(peer, bh);
}

/// How a batch goes on after it got its nonces.
enum Way<'w> {
    /// Packets leave from here, and nothing is ahead of these: encrypt and send them.
    Here,
    /// Others are ahead, or packets leave from another CPU: encrypt here.
    Behind(u64),
    /// This CPU has enough to do.
    Elsewhere(u64, Helper<'w>),
}

/// Sends what is staged under the current session; without one, begins a handshake.
pub(crate) fn send_staged(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    // CAST: Small.
    if !send_some(peer, MAX_UNBROKEN as u32, bh) {
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
    let (first, packets, way, is_outlet) = {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        if tx.staged.is_empty() {
            tx.is_left();
            return false;
        }
        if let Some(worker) = &mut tx.deferred {
            worker.since = Moment::now();
        }
        let helper = workers.helper(bh);
        let is_outlet = tx.outlet.is(bh.cpu());
        let is_here = helper.is_none() && is_outlet && tx.order.take_turn_if_idle();
        if !is_here && tx.order.prepare().is_err() {
            if tx.order.in_flight() != 0 {
                tx.deferred = None;
                tx.is_blocked = true;
                return false;
            }
            let packets = tx.staged.take(max);
            tx.note(peer, bh);
            drop(guard);
            dropped(&peer, packets, Reject::NoMemory, bh);
            return true;
        }
        let packets = tx.staged.take(max);
        let Some(first) = keypair.reserve(u64::from(packets.datagrams()), now) else {
            if is_here {
                tx.order.end_turn();
            }
            tx.staged.prepend(packets);
            drop(guard);
            wait_for_session(peer, bh);
            return false;
        };
        tx.note(peer, bh);
        let way = match helper {
            _ if is_here => Way::Here,
            Some(helper) => Way::Elsewhere(tx.order.ticket(), helper),
            None => Way::Behind(tx.order.ticket()),
        };
        (first, packets, way, is_outlet)
    };
    let charge = packets.bytes();
    let (ticket, helper) = match way {
        Way::Here => {
            send_here(peer, &keypair, first, packets, bh);
            device.budget().give(charge, bh);
            // Only the next call looks whether there is more: a worker makes it after softirqs,
            // which may have staged some.
            return true;
        }
        Way::Behind(ticket) => (ticket, None),
        Way::Elsewhere(ticket, helper) => (ticket, Some(helper)),
    };
    // Others may finish the batch, so it needs a reference that lasts beyond this section.
    let Some(counted) = keypair.upgrade() else {
        dropped(&peer, packets, Reject::Gone, bh);
        give_back(peer, ticket, None, bh);
        return true;
    };
    let mut job = Job {
        ticket,
        batch: Batch {
            keypair: counted,
            packets: packets.into_list(),
            first,
            charge,
        },
    };
    if let Some(helper) = helper {
        match workers.seal(job, &helper, bh) {
            Ok(()) => {
                // What helpers have finished is due here, and a busy CPU may not come to it otherwise.
                if is_outlet && !is_nested(bh) {
                    release(peer, bh);
                }
                return true;
            }
            Err(refused) => job = refused,
        }
    }
    seal_elsewhere(job, bh);
    true
}

/// Keeps the staged packets until there is a session, and begins the handshake for it.
fn wait_for_session(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let old = {
        let mut tx = peer.tx().lock(bh);
        // Without a session no more than this would have been staged.
        let old = if tx.is_left() {
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
    dropped(&peer, old, Reject::TxStagedOverflow, bh);
    if let Some(peer) = peer.upgrade() {
        timers::initiation_wanted(&peer, bh);
    }
}

/// Makes a packet of a message's bytes.
pub(crate) fn datagram(bytes: &[u8]) -> Result<SkBuff, Reject> {
    let packet = SkBuff::alloc(HEADROOM, bytes.len()).map_err(|_| Reject::NoMemory)?;
    let mut packet = packet
        .into_linear(HEADROOM, bytes.len())
        .map_err(|_| Reject::NoMemory)?;
    let room = packet.put(bytes.len()).ok_or(Reject::NoMemory)?;
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(packet.into_skb())
}

/// Sends a handshake message to a peer.
pub(crate) fn message(peer: &Peer, bytes: &[u8], ds: u8, bh: &Bh<'_>) -> Result<(), Reject> {
    let packet = datagram(bytes)?;
    let path = Path::to_peer(peer.device(), peer, bh)?;
    path.send(packet, ds, bh)?;
    // CAST: From small to large.
    peer.add_tx_bytes(bytes.len() as u64);
    Ok(())
}
