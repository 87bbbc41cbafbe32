// SPDX-License-Identifier: GPL-2.0

//! A batch of packets from its nonces to the wire.

use super::HEADROOM;
use crate::{
    crypto::{
        self,
        SEAL_HEADROOM, //
    },
    drops::Drops,
    effort::Task,
    keypair::Keypair,
    packet::PacketCb,
    peer::{
        Peer,
        RELEASE, //
    },
    queueing::Job,
    socket::Path,
    timers, //
};
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    net::{
        skb::{
            self,
            Bundle,
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
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    Reject, //
};

/// A batch that other CPUs see.
pub(crate) struct Batch {
    pub(super) keypair: RcuArc<Keypair>,
    pub(super) packets: skb::List,
    pub(super) state: State,
}

/// How far a batch is.
pub(super) enum State {
    /// Its packets own nonces, from this one on.
    Numbered(u64),
    /// Its packets are encrypted.
    Sealed,
}

/// Encrypts a batch on another CPU than the one that took it, and hands it back.
pub(crate) fn seal_elsewhere(mut job: KBox<Job<Batch>>, bh: &Bh<'_>) {
    let Some(batch) = job.batch.take() else {
        return;
    };
    let peer = batch.keypair.peer().clone();
    let packets = match batch.state {
        State::Numbered(first) => seal_all(&batch.keypair, first, batch.packets, bh),
        State::Sealed => batch.packets,
    };
    job.batch = Some(Batch {
        packets,
        state: State::Sealed,
        keypair: batch.keypair,
    });
    give_back(peer.borrow(), job, bh);
}

/// Hands a batch back to the order, and has what is due sent if nobody else does that.
pub(super) fn give_back(peer: Ref<'_, Peer>, job: KBox<Job<Batch>>, bh: &Bh<'_>) {
    let (is_due, outlet) = {
        let mut tx = peer.tx().lock(bh);
        // Nothing resets this order, so nothing is given back.
        let _ = tx.order.put(job);
        (tx.order.is_due(), tx.outlet.cpu())
    };
    if is_due && outlet == bh.cpu() {
        release(peer, bh);
    } else if is_due {
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
    }
}

/// Sends some batches that are due, if nobody else does. Returns whether more are.
fn release_some(peer: Ref<'_, Peer>, bh: &Bh<'_>) -> bool {
    let mut room = peer.device().data().workers().efforts().room(bh);
    if room == 0 {
        return peer.tx().lock(bh).order.is_due();
    }
    if !peer.tx().lock(bh).order.take_turn_if_due() {
        return false;
    }
    while room > 0 {
        let job = peer.tx().lock(bh).order.next_or_end();
        let Some(mut job) = job else {
            return false;
        };
        if let Some(batch) = job.batch.take() {
            room = room.saturating_sub(batch.packets.len());
            transmit(&batch.keypair, batch.packets, bh);
        }
        peer.tx().lock(bh).order.release();
    }
    let mut tx = peer.tx().lock(bh);
    tx.order.end_turn();
    tx.order.is_due()
}

/// Gives up the turn that was taken for packets which are sent by now, and sends the batches that have become due.
pub(super) fn end_turn(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let is_due = {
        let mut tx = peer.tx().lock(bh);
        tx.order.end_turn();
        tx.order.is_due()
    };
    if is_due {
        release(peer, bh);
    }
}

impl Run<RELEASE> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        while release_some(this.borrow(), &ctx.bh()) {
            ctx.cond_resched();
        }
    }
}

/// Encrypts packets under consecutive nonces. Those that fail are dropped and counted.
pub(super) fn seal_all(
    keypair: &Keypair,
    first: u64,
    mut packets: skb::List,
    bh: &Bh<'_>,
) -> skb::List {
    let device = keypair.peer().device().data();
    let efforts = device.workers().efforts();
    efforts.note(Task::Seal, packets.len(), bh, || {
        let mut sealed = skb::List::new();
        let mut nonce = first;
        while let Some(packet) = packets.pop_front() {
            match seal(keypair, nonce, packet) {
                Ok(packet) => sealed.push_back(packet),
                Err(reason) => device.drops().count(reason),
            }
            nonce = nonce.wrapping_add(1);
        }
        sealed
    })
}

/// Pads and encrypts a packet, and puts the header in front.
fn seal(keypair: &Keypair, nonce: u64, mut packet: SkBuff) -> Result<SkBuff, Reject> {
    let cb = *packet.cb::<PacketCb>();
    let ds = packet.ecn_encap();
    let len = packet.len();
    // CAST: From small to large.
    let padding = padding(len, cb.mtu_or_index as usize);
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
    *packet.cb_mut() = PacketCb { ds, ..cb };
    Ok(packet)
}

/// Divides and rounds up; by nothing, to nothing.
fn div_ceil(n: usize, by: usize) -> usize {
    n.saturating_add(by.saturating_sub(1))
        .checked_div(by)
        .unwrap_or(0)
}

/// Takes the next packets that can be sent as one bundle; a single one if there is nothing to bundle.
fn take_burst(packets: &mut skb::List) -> Option<skb::List> {
    let waiting = packets.len();
    let first = packets.pop_front()?;
    let (len, ds) = (first.len(), first.cb::<PacketCb>().ds);
    let mut burst = skb::List::new();
    burst.push_back(first);
    if waiting == 1 || !udp::may_bundle() {
        return Some(burst);
    }
    // Bundles of about the same size, rather than a last one that is hardly worth it.
    let bundles = div_ceil(waiting, Bundle::capacity(len));
    let max = div_ceil(waiting, bundles);
    while burst.len() < max {
        let next_len = match packets.front() {
            Some(next) if next.len() <= len && next.cb::<PacketCb>().ds == ds => next.len(),
            _ => break,
        };
        if let Some(next) = packets.pop_front() {
            burst.push_back(next);
        }
        // Only the last one may be shorter.
        if next_len < len {
            break;
        }
    }
    Some(burst)
}

/// Sends packets as one bundle, or if that cannot be, one by one. Returns how many bytes were sent.
fn send_burst(path: &Path<'_>, mut burst: skb::List, ds: u8, drops: &Drops, bh: &Bh<'_>) -> u64 {
    if burst.len() > 1 {
        // CAST: From small to large.
        let (len, n) = (burst.byte_len() as u64, burst.len() as u64);
        match Bundle::new(burst) {
            Ok(bundle) => match path.send(bundle, ds, bh) {
                Ok(()) => return len,
                Err(reason) => {
                    drops.add(reason, n);
                    return 0;
                }
            },
            Err(list) => burst = list,
        }
    }
    let mut bytes: u64 = 0;
    while let Some(packet) = burst.pop_front() {
        // CAST: From small to large.
        let len = packet.len() as u64;
        match path.send(packet, ds, bh) {
            Ok(()) => bytes = bytes.saturating_add(len),
            Err(reason) => drops.count(reason),
        }
    }
    bytes
}

/// Hands encrypted packets to the UDP socket and tells the timers.
pub(super) fn transmit(keypair: &Keypair, mut packets: skb::List, bh: &Bh<'_>) {
    let peer = keypair.peer();
    let dev = peer.device();
    if packets.is_empty() {
        return;
    }
    timers::authenticated_sent(peer, bh);
    peer.sent().set();
    let efforts = dev.data().workers().efforts();
    efforts.sent(packets.len(), bh);
    match Path::to_peer(dev, peer, bh) {
        Ok(path) => {
            let mut bytes: u64 = 0;
            while let Some(burst) = take_burst(&mut packets) {
                let Some(cb) = burst.front().map(|first| *first.cb::<PacketCb>()) else {
                    break;
                };
                // Not afterwards: an answer that overtakes it would not end the wait.
                if cb.keepalive == 0 {
                    timers::data_sent(peer, bh);
                }
                let sent = send_burst(&path, burst, cb.ds, dev.data().drops(), bh);
                bytes = bytes.saturating_add(sent);
            }
            peer.add_tx_bytes(bytes);
        }
        // CAST: From small to large.
        Err(reason) => dev.data().drops().add(reason, packets.len() as u64),
    }
    let now = time::boottime_coarse();
    let rekey = peer
        .current(bh)
        .is_some_and(|current| current.rekeys_on_send(now));
    if rekey {
        timers::initiation_wanted(peer, bh);
    }
}
