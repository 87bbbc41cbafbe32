// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface.

mod batch;
mod outlet;
mod singles;

pub(crate) use batch::{
    seal_elsewhere,
    Batch, //
};

use crate::{
    device::Device,
    effort::MAX_UNBROKEN,
    pace::Pace,
    packet::PacketCb,
    peer::{
        Peer,
        SEND, //
    },
    queueing::{
        Job,
        Order, //
    },
    socket::{
        Path,
        Shown, //
    },
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
    transmit,
    State, //
};
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    debug_ratelimited,
    net::{
        device::Running,
        skb::{
            IpAddrs,
            Layout,
            List,
            Segmented,
            SkBuff, //
        },
        udp, //
    },
    sync::rcu::{
        RcuArc,
        Ref, //
    },
    time,
    workqueue::Run, //
};
use outlet::Outlet;
pub(crate) use singles::Singles;
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    prefix::Address,
    Reject, //
};

/// Packets that wait for a session; before more are added, the oldest make room down to this.
const MAX_STAGED_PACKETS: usize = 128;

/// What may wait for a worker to send it: so many packets as they came, large ones among them, as in C.
const MAX_DEFERRED: usize = 1024;

/// Packets as they leave that may wait for a worker in any case: what one softirq forwards.
const MAX_DEFERRED_PACKETS: usize = 4096;

/// Packets that a worker sends as one batch.
const MAX_DEFERRED_BATCH: usize = 64;

/// Batches of one peer that may be on their way at once.
const MAX_BATCHES: u64 = 1024;

/// Head room of an outgoing message: ours, UDP, IPv6 and what the stack reserves, aligned.
pub(crate) const HEADROOM: usize = 128;

/// Tail room for what encryption adds: padding, the tag, and what lets it be computed in one pass.
const TAILROOM: usize = 3 * TAG_LEN;

/// Returns how this CPU makes messages of a packet to a peer, whose path has this MTU.
fn layout<'a>(
    peer: &'a Peer,
    packet: &SkBuff,
    mtu: u32,
    bh: &Bh<'_>,
) -> Layout<'a, impl Fn(usize) -> usize + use<>> {
    // What waits for a session must not keep large pages.
    let has_session = peer.current(bh).is_some_and(|current| current.may_send());
    let is_single = peer.singles().must_be(packet.is_owned_by_tcp());
    Layout {
        headroom: HEADROOM,
        header: DataHeader::LEN,
        // CAST: From small to large.
        trailer: move |len| padding(len, mtu as usize).saturating_add(TAG_LEN),
        tailroom: TAILROOM,
        pages: peer.device().pages(bh),
        may_gso: udp::may_gso() && has_session && !is_single,
    }
}

/// What waits for transmission to a peer.
pub(crate) struct Tx {
    staged: List<Segmented>,
    /// Whether a worker is about to send what is staged.
    is_deferred: bool,
    /// As how many packets those came that wait for it.
    deferred: usize,
    order: Order<Batch>,
    outlet: Outlet,
    pace: Pace,
}

impl Tx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            staged: List::new(),
            is_deferred: false,
            deferred: 0,
            order: Order::new(),
            outlet: Outlet::new(),
            pace: Pace::new(),
        }
    }

    /// Leaves what is staged to whoever comes next.
    fn not_deferred(&mut self) {
        (self.is_deferred, self.deferred) = (false, 0);
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
    if peer.remote(bh).is_none() {
        debug_ratelimited!(
            "{}: No valid endpoint has been configured or discovered for peer {}\n",
            dev.name(),
            peer.number()
        );
        return refused(skb, Reject::TxNoEndpoint, EDESTADDRREQ);
    }
    // Once for all segments, and before encryption: queues on the way still see the inner flows.
    skb.hash(dev);
    let mut cb = PacketCb {
        mtu_or_index: skb.path_mtu(dev.mtu()),
        ds: skb.ecn_encap(),
        is_first: 1,
        ..PacketCb::default()
    };
    let layout = layout(&peer, &skb, cb.mtu_or_index, bh);
    let packets = skb.segment(dev, &layout, bh);
    let mut packets = packets.inspect_err(|_| count(Reject::TxSegmentation))?;
    for mut packet in packets.iter_mut() {
        *packet.cb_mut() = cb;
        cb.is_first = 0;
    }
    match stage(&peer, packets, bh) {
        Staged::Send => {
            send_some(peer, usize::MAX, bh);
        }
        Staged::Defer => defer(peer, bh),
        Staged::Deferred => {}
    }
    Ok(())
}

fn destination(addresses: &IpAddrs) -> Address {
    match *addresses {
        IpAddrs::V4 { dst, .. } => Address::V4(dst),
        IpAddrs::V6 { dst, .. } => Address::V6(dst),
    }
}

/// What is to be done after packets were staged.
enum Staged {
    /// Send them.
    Send,
    /// Have a worker send them.
    Defer,
    /// Nothing: a worker is about to.
    Deferred,
}

/// Adds packets to those that wait, at the cost of the oldest.
///
/// Who sends one packet right after the other, without waiting for one in between, gets them sent by a worker, which takes
/// as many at once as have come until it runs. Who asks and waits for the answer is not held up. A worker also sends what
/// is so much that those who receive it must have their turn in between.
fn stage(peer: &Peer, mut packets: List<Segmented>, bh: &Bh<'_>) -> Staged {
    let mut old = List::new();
    let is_answer = peer.received().take();
    let room = peer.device().data().workers().efforts().room(bh);
    let staged = {
        let mut tx = peer.tx().lock(bh);
        let is_long = tx.staged.segs().saturating_add(packets.segs()) > room;
        // Without a session packets must not hold up their sockets.
        let is_burst = (is_long || packets.segs() == 1 && tx.pace.is_stream(is_answer))
            && peer.current(bh).is_some_and(|current| current.may_send());
        if tx.is_deferred {
            if tx.deferred >= MAX_DEFERRED && tx.staged.segs() >= MAX_DEFERRED_PACKETS {
                drop(tx);
                discarded(peer, packets, Reject::TxQueueFull);
                return Staged::Deferred;
            }
            tx.deferred = tx.deferred.saturating_add(1);
            tx.staged.append(&mut packets);
            return Staged::Deferred;
        }
        // Before adding, so that all segments of one big packet stay together.
        while tx.staged.segs() > MAX_STAGED_PACKETS {
            let Some(packet) = tx.staged.pop_front() else {
                break;
            };
            old.push_back(packet);
        }
        tx.staged.append(&mut packets);
        tx.is_deferred = is_burst;
        if is_burst {
            Staged::Defer
        } else {
            Staged::Send
        }
    };
    dropped(peer, old, Reject::TxStagedOverflow);
    staged
}

/// Has a worker send what is staged.
fn defer(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if let Some(counted) = peer.upgrade() {
        let workers = counted.device().data().workers();
        let _ = workers.queue().enqueue(&counted.send_work, &counted);
        return;
    }
    peer.tx().lock(bh).not_deferred();
    send_some(peer, usize::MAX, bh);
}

impl Run<SEND> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        while send_some(this.borrow(), MAX_DEFERRED_BATCH, &ctx.bh()) {
            ctx.cond_resched();
        }
    }
}

/// Drops all packets that wait for a session.
pub(crate) fn purge_staged(peer: &Peer, reason: Reject, bh: &Bh<'_>) {
    let mut old = List::new();
    old.append(&mut peer.tx().lock(bh).staged);
    dropped(peer, old, reason);
}

/// Drops packets that waited for a session, which the interface's own counters tell.
fn dropped(peer: &Peer, packets: List<Segmented>, reason: Reject) {
    if !packets.is_empty() {
        peer.device().count_tx_dropped(packets.segs());
        discarded(peer, packets, reason);
    }
}

/// Drops packets that there is no room for. As in the C driver only ours know.
fn discarded(peer: &Peer, packets: List<Segmented>, reason: Reject) {
    // CAST: From small to large.
    let n = packets.segs() as u64;
    peer.device().data().drops().add(reason, n);
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
        // It is no GSO packet.
        if let Ok(packet) = Segmented::try_from(packet) {
            peer.tx().lock(bh).staged.push_back(packet);
        }
    }
    send_staged(peer, bh);
}

/// How a batch goes on after it got its nonces.
enum Way<'w> {
    /// Packets leave from here, and nothing is ahead of these: encrypt and send them.
    Here,
    /// Others are ahead, or packets leave from another CPU: encrypt here.
    Behind(KBox<Job<Batch>>),
    /// This CPU has enough to do.
    Elsewhere(KBox<Job<Batch>>, Helper<'w>),
}

/// Sends what is staged under the current session; without one, begins a handshake.
pub(crate) fn send_staged(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    if !send_some(peer, MAX_UNBROKEN, bh) {
        return;
    }
    let is_left = {
        let mut tx = peer.tx().lock(bh);
        let is_left = !tx.is_deferred && !tx.staged.is_empty();
        tx.is_deferred |= is_left;
        is_left
    };
    if is_left {
        defer(peer, bh);
    }
}

/// Sends up to so many of the packets that are staged under the current session; without one, begins a handshake.
///
/// Returns whether there may be more; if not, the staged packets are no longer left to a worker.
fn send_some(peer: Ref<'_, Peer>, max: usize, bh: &Bh<'_>) -> bool {
    let now = time::boottime_coarse();
    let Some(keypair) = peer.current(bh) else {
        wait_for_session(peer, bh);
        // Who has begun a session just now found nothing staged, perhaps, and left the rest to this worker.
        return peer.current(bh).is_some();
    };
    let workers = peer.device().data().workers();
    // A reference that lasts beyond this section is only needed where others finish the batch.
    let (batch, way, is_outlet) = {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        if tx.staged.is_empty() {
            tx.not_deferred();
            return false;
        }
        let mut packets = tx.staged.split_front(max);
        let n = packets.segs();
        if tx.is_deferred {
            let taken = packets.iter().fold(0_usize, |n, packet| {
                n.saturating_add(usize::from(packet.cb::<PacketCb>().is_first))
            });
            tx.deferred = tx.deferred.saturating_sub(taken);
        }
        let helper = workers.sealer(bh);
        let is_outlet = tx.outlet.is(bh.cpu());
        let way = if helper.is_none() && is_outlet && tx.order.take_turn_if_idle() {
            Way::Here
        } else if tx.order.in_flight() >= MAX_BATCHES {
            drop(guard);
            discarded(&peer, packets, Reject::TxQueueFull);
            return true;
        } else {
            match (Job::new(), helper) {
                (Ok(job), Some(helper)) => Way::Elsewhere(job, helper),
                (Ok(job), None) => Way::Behind(job),
                (Err(_), _) => {
                    drop(guard);
                    discarded(&peer, packets, Reject::NoMemory);
                    return true;
                }
            }
        };
        // CAST: From small to large.
        let Some(first) = keypair.reserve(n as u64, now) else {
            if let Way::Here = way {
                tx.order.end_turn();
            }
            tx.staged.prepend(&mut packets);
            drop(guard);
            wait_for_session(peer, bh);
            return false;
        };
        let mut way = way;
        if let Way::Behind(job) | Way::Elsewhere(job, _) = &mut way {
            job.set_ticket(tx.order.ticket());
        }
        ((first, packets), way, is_outlet)
    };
    let (first, packets) = batch;
    match way {
        Way::Here => {
            let packets = seal_all(&keypair, first, packets, bh);
            transmit(&keypair, packets, bh);
            end_turn(peer, bh);
        }
        Way::Behind(mut job) => {
            let packets = seal_all(&keypair, first, packets, bh);
            job.batch = keypair.upgrade().map(|keypair| Batch {
                keypair,
                packets,
                state: State::Sealed,
            });
            give_back(peer, job, bh);
        }
        Way::Elsewhere(mut job, helper) => match keypair.upgrade() {
            Some(keypair) => {
                job.batch = Some(Batch {
                    keypair,
                    packets,
                    state: State::Numbered(first),
                });
                workers.seal(job, &helper, bh);
                // What helpers have finished is due here, and a busy CPU may not come to it otherwise.
                if is_outlet && !is_nested(bh) {
                    release(peer, bh);
                }
            }
            None => give_back(peer, job, bh),
        },
    }
    true
}

/// Keeps the staged packets until there is a session, and begins the handshake for it.
fn wait_for_session(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    {
        let mut tx = peer.tx().lock(bh);
        tx.not_deferred();
        if tx.staged.is_empty() {
            return;
        }
        // They must not hold up their sockets while they wait.
        for mut packet in tx.staged.iter_mut() {
            packet.orphan();
        }
    }
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
