// SPDX-License-Identifier: GPL-2.0

//! Sorting of datagrams by message type and session.

use super::{
    coalesce,
    next::AfterPush, //
};
use crate::{
    device::Device,
    diag,
    drops::drop_for,
    endpoint::{
        DisplayRemote,
        Endpoint, //
    },
    packet::PacketCb,
    peer::Peer,
    send, //
};
use kernel::prelude::*;
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    debug_ratelimited,
    net::{
        addr::SocketAddr,
        device::NetDevice,
        napi::Napi,
        skb::{
            SkBuff,
            SkbList, //
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
    DropReason, //
};

/// Sorts the datagrams of one `encap_rcv` call by message type and session.
pub(super) fn sort_datagrams(dev: &NetDevice<Device>, mut datagrams: SkbList, bh: &Bh<'_>) {
    let mut run = None;
    while let Some(skb) = datagrams.pop_front() {
        if let Err((reason, remote)) = sort_one(dev, skb, &mut run, bh) {
            diag::count_drops(dev, reason, 1, remote);
        }
    }
    if let Some(run) = run {
        run.enqueue(bh);
    }
}

/// Why a datagram was dropped, and where it came from; see [`diag::sender`].
type DroppedDatagram = (DropReason, Option<SocketAddr>);

/// Sorts a datagram: adds a data message to the run, and queues a handshake message. Drops one that
/// is neither.
fn sort_one<'g>(
    dev: &'g NetDevice<Device>,
    mut skb: SkBuff,
    run: &mut Option<Run<'g>>,
    bh: &'g Bh<'_>,
) -> Result<(), DroppedDatagram> {
    let device = dev.data();
    let (kind, len) = match kind(&mut skb) {
        Ok(found) => found,
        Err(reason) => return Err(drop_datagram(skb, reason)),
    };
    let Kind::Data = kind else {
        let remote = skb
            .udp_source()
            .and_then(|source| Endpoint::of(&source).remote);
        return enqueue_handshake(device, skb, len, remote, bh).map_err(|reason| {
            debug_ratelimited!(
                "{}: Dropping handshake packet from {}\n",
                dev.name(),
                DisplayRemote(remote)
            );
            (reason, remote)
        });
    };
    let Some((header, _)) = skb.pull_head(DataHeader::LEN).and_then(DataHeader::parse) else {
        return Err(drop_datagram(skb, DropReason::BadLength));
    };
    let index = header.receiver().get();
    let counter = header.counter();
    let run = match run {
        Some(run) if run.index == index => run,
        _ => {
            if let Some(run) = run.take() {
                run.enqueue(bh);
            }
            match find_receiver(device, index, bh) {
                Ok((peer, napi)) => run.insert(Run {
                    index,
                    peer,
                    napi,
                    packets: SkbList::new(),
                }),
                Err(reason) => return Err(drop_datagram(skb, reason)),
            }
        }
    };
    let ds = skb.dsfield();
    *skb.cb_mut() = PacketCb {
        counter,
        index,
        ds,
        ..PacketCb::default()
    };
    run.packets.push_back(skb);
    Ok(())
}

/// Drops a datagram, and returns the reason and the sender for the caller to count.
#[inline(always)]
fn drop_datagram(skb: SkBuff, reason: DropReason) -> DroppedDatagram {
    // Without its UDP header, nothing tells where it came from.
    let remote = match reason {
        DropReason::BadDatagram => None,
        _ => diag::sender(&skb),
    };
    (drop_for(skb, reason), remote)
}

/// Returns the kind of a message and its length, without the UDP header.
fn kind(skb: &mut SkBuff) -> Result<(Kind, usize), DropReason> {
    skb.strip_udp().map_err(|_| DropReason::BadDatagram)?;
    let len = skb.len();
    let head = skb
        .pull_head(len.min(DataHeader::LEN))
        .ok_or(DropReason::BadLength)?;
    Ok((Kind::of(head, len)?, len))
}

/// Returns the peer of a session, and the NAPI context that delivers its packets.
fn find_receiver<'g>(
    device: &'g Device,
    index: u32,
    bh: &'g Bh<'_>,
) -> Result<(&'g RcuArc<Peer>, &'g Napi<Device>), DropReason> {
    let keypair = device
        .index_table()
        .find_session(index, bh)
        .ok_or(DropReason::UnknownSession)?;
    let peer = keypair.target().peer();
    if peer.is_dead() {
        return Err(DropReason::Gone);
    }
    let napi = device.napi(peer.napi_index(), bh).ok_or(DropReason::Gone)?;
    Ok((peer, napi))
}

/// A run: data messages of one session, one after the other.
struct Run<'g> {
    /// The index of the session.
    index: u32,
    peer: &'g RcuArc<Peer>,
    /// The NAPI context that delivers the messages.
    napi: &'g Napi<Device>,
    packets: SkbList,
}

impl Run<'_> {
    /// Queues the run for its NAPI context.
    fn enqueue(self, bh: &Bh<'_>) {
        let Self {
            peer,
            napi,
            packets,
            ..
        } = self;
        let is_answer = peer.tx_seen().take();
        // Do not coalesce on an idle CPU, which can poll now, nor while a work item sends on
        // this CPU: its packets to this host come in batches.
        let may_wait = packets.len() == 1
            && peer.rx().lock(bh).is_stream(is_answer)
            && !bh.is_idle()
            && !send::is_work_item_sending(bh)
            && hrtimer::is_precise();
        match napi.queue().push(packets, may_wait, bh) {
            Ok(AfterPush::Poll) => napi.schedule(bh),
            Ok(AfterPush::Coalesce) => coalesce::start(peer, bh),
            Ok(AfterPush::Nothing) => {}
            Err((reason, packets)) => {
                let n = usize_as_u64(packets.len());
                peer.count_drops(drop_for(packets, reason), n, bh);
                napi.schedule(bh);
            }
        }
    }
}

/// Queues a handshake message that came from `remote`, or drops it.
fn enqueue_handshake(
    device: &Device,
    mut skb: SkBuff,
    len: usize,
    remote: Option<SocketAddr>,
    bh: &Bh<'_>,
) -> Result<(), DropReason> {
    // An answer needs secrets. The sender will retry, so nothing is kept until the generator is
    // seeded.
    if random::is_ready().is_none() {
        return Err(drop_for(skb, DropReason::RngNotReady));
    }
    if skb.pull_head(len).is_none() {
        return Err(drop_for(skb, DropReason::BadLength));
    }
    let is_known = || remote.is_some_and(|remote| device.known().contains(&remote));
    device
        .handshake_queue()
        .push(skb, is_known, device.handshake_receive_wq(), bh)
}
