// SPDX-License-Identifier: GPL-2.0

//! Transmission of encrypted packets by the UDP socket.

use super::layout::HEADROOM;
use crate::{
    drops::drop_for,
    keypair::Keypair,
    packet::PacketCb,
    path::{
        Output,
        Path, //
    },
    peer::Peer,
    timers, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    net::{
        skb::{
            Packet,
            Segmented,
            SkbList, //
        }, //
    },
    sync::rcu::RcuArc,
    time, //
};
use wg_proto::DropReason;

/// Hands encrypted packets to the UDP socket, and tells the timers.
pub(super) fn transmit(keypair: &Keypair, packets: SkbList<Segmented>, bh: &Bh<'_>) {
    let peer = keypair.peer();
    let dev = peer.device();
    if packets.is_empty() {
        return;
    }
    timers::authenticated_sent(peer, bh);
    dev.data()
        .workers()
        .loads()
        .note_handed_on(packets.segs(), bh);
    let path = Path::to_peer(dev, peer, bh);
    let ready = path.as_ref().map_err(|reason| *reason).and_then(|path| {
        let output = path.output(packets.segs(), bh)?;
        Ok((output, path.takes_gso()))
    });
    match ready {
        Ok((output, takes_gso)) => send_all(output, takes_gso, peer, packets, bh),
        Err(reason) => {
            let n = usize_as_u64(packets.segs());
            peer.count_drops(drop_for(packets, reason), n, bh);
        }
    }
    let now = time::boottime_coarse();
    let rekey = peer
        .current(bh)
        .is_some_and(|current| current.rekeys_on_send(now));
    if rekey {
        timers::initiation_wanted(peer, bh);
    }
}

/// Sends packets along a path, GSO packets as single datagrams where the path does not take them.
fn send_all(
    mut output: Output<'_>,
    takes_gso: bool,
    peer: &RcuArc<Peer>,
    mut packets: SkbList<Segmented>,
    bh: &Bh<'_>,
) {
    let dev = peer.device();
    let (mut sent, mut bytes): (u64, u64) = (0, 0);
    while let Some(packet) = packets.pop_front() {
        // The route or the rules may have changed since the packet was made.
        let is_single = dev.data().is_rewritten() || !takes_gso;
        if packet.segs() > 1 && is_single {
            packets.prepend(&mut split(peer, packet, bh));
            continue;
        }
        let cb = *packet.cb::<PacketCb>();
        // Before sending: an answer that overtakes this would not end the wait for it.
        if cb.keepalive == 0 {
            timers::data_sent(peer, bh);
        }
        let (len, segs) = (
            usize_as_u64(packet.as_skb().len()),
            usize_as_u64(packet.segs()),
        );
        match output.send(packet, cb.ds) {
            Ok(()) => {
                sent = sent.saturating_add(segs);
                bytes = bytes.saturating_add(len);
            }
            Err(reason) => peer.count_drops(reason, segs, bh),
        }
    }
    peer.add_tx(sent, bytes);
}

/// Makes single datagrams of a GSO packet.
fn split(peer: &Peer, packet: Segmented, bh: &Bh<'_>) -> SkbList<Segmented> {
    let segs = packet.segs();
    let singles = packet.into_singles(HEADROOM, &mut peer.device().pages(bh).lock(bh), bh);
    let lost = segs.saturating_sub(singles.segs());
    if lost > 0 {
        peer.count_drops(DropReason::NoMemory, usize_as_u64(lost), bh);
    }
    singles
}
