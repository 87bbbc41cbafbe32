// SPDX-License-Identifier: GPL-2.0

//! Delivery of decrypted packets: checks counter, sender and length, and passes them up the stack.

use crate::{
    device::Device,
    drops::drop_for,
    endpoint::{
        DisplayIp,
        Endpoint, //
    },
    keypair::Keypair,
    packet::PacketCb,
    peer::Peer,
    send,
    timers, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    debug_ratelimited,
    net::{
        device::NetDevice,
        napi::Gro,
        skb::{
            Buffer,
            IpAddrs,
            SkBuff,
            SkbList, //
        }, //
    },
    sync::rcu::RcuArc,
    time, //
};
use wg_proto::{
    message::DataHeader,
    prefix::Address,
    session::REJECT_AFTER_MESSAGES,
    DropReason, //
};

/// Delivers decrypted packets of one session, in order.
pub(super) fn deliver(keypair: &Keypair, packets: SkbList, gro: &mut Gro<'_, Device>, bh: &Bh<'_>) {
    let peer = keypair.peer();
    let dev = peer.device();
    let mut fresh = accept_counters(keypair, packets, bh);
    if note_received(keypair, &fresh, bh).is_none() {
        if fresh.is_empty() {
            return;
        }
        let n = usize_as_u64(fresh.len());
        return peer.count_drops(drop_for(fresh, DropReason::BadDatagram), n, bh);
    }
    let (mut packets, mut bytes): (u64, u64) = (0, 0);
    while let Some(packet) = fresh.pop_front() {
        let len = packet.len();
        let message = len.saturating_add(DataHeader::MIN_MESSAGE_LEN);
        if len == 0 {
            debug_ratelimited!(
                "{}: Receiving keepalive packet from peer {} ({})\n",
                dev.name(),
                peer.number(),
                peer.display_remote(bh)
            );
            packet.consume();
        } else if let Err(reason) = pass_up(dev, peer, packet, gro, bh) {
            peer.count_drops(reason, 1, bh);
            continue;
        }
        if let Some(running) = gro.running() {
            // CAST: A datagram is shorter.
            running.rx_add(message as u32);
        }
        bytes = bytes.saturating_add(usize_as_u64(message));
        packets = packets.saturating_add(1);
    }
    peer.add_rx(packets, bytes);
}

/// Returns the packets whose counters were not received before, and drops the others.
fn accept_counters(keypair: &Keypair, mut packets: SkbList, bh: &Bh<'_>) -> SkbList {
    let dev = keypair.peer().device();
    let mut fresh = SkbList::new();
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
        let reason = if counter < REJECT_AFTER_MESSAGES {
            DropReason::ReplayedCounter
        } else {
            DropReason::CounterLimit
        };
        keypair.peer().count_drops(drop_for(packet, reason), 1, bh);
    }
    fresh
}

/// Notes authentic packets: where the peer is, its timers, and that it has the session's keys.
///
/// Returns [`None`] if there are no packets, or it does not show where they came from.
fn note_received(keypair: &Keypair, fresh: &SkbList, bh: &Bh<'_>) -> Option<()> {
    let peer = keypair.peer();
    // The latest datagram tells where the peer is.
    let source = fresh.back()?.udp_source()?;
    peer.seen_at(&Endpoint::of(&source), bh);
    timers::authenticated_received(peer, bh);
    // Report at most two data packets: the first arms SendKeepalive, the second has it armed once
    // more. A third would change nothing.
    for _ in fresh.iter().filter(|packet| !packet.is_empty()).take(2) {
        timers::data_received(peer, bh);
    }
    // After the timers: once the session is confirmed, other CPUs send under it, which answers
    // these packets and must not count as answered by them.
    let confirmed = peer.is_next(keypair, bh) && peer.confirm(keypair, bh);
    if confirmed {
        timers::handshake_complete(peer, bh);
        peer.note_session(bh);
    }
    if let Some(current) = peer.current(bh).filter(|current| current.may_send()) {
        let now = time::boottime_coarse();
        timers::keep_key_fresh_on_receive(peer, current.lifetime(), now, bh);
    }
    if confirmed {
        send::send_staged(peer.borrow(), bh);
    }
    Some(())
}

/// Checks an inner packet and hands it to the stack. Drops one that fails.
fn pass_up(
    dev: &NetDevice<Device>,
    peer: &RcuArc<Peer>,
    mut packet: SkBuff,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> Result<(), DropReason> {
    if let Err(reason) = check_inner(dev, peer, &mut packet, bh) {
        return Err(drop_for(packet, reason));
    }
    gro.receive(packet).map_err(|packet| {
        let reason = match gro.running() {
            Some(_) => DropReason::NoMemory,
            None => DropReason::Gone,
        };
        drop_for(packet, reason)
    })
}

/// Checks an inner packet, and prepares it for the stack.
#[inline]
fn check_inner(
    dev: &NetDevice<Device>,
    peer: &RcuArc<Peer>,
    packet: &mut SkBuff,
    bh: &Bh<'_>,
) -> Result<(), DropReason> {
    let ds = packet.cb::<PacketCb>().ds;
    packet.reset_for_decap(bh);
    let header = packet
        .read_ip_header()
        .ok_or_else(|| bad_header(dev, peer, bh))?;
    packet.mark_checksum_verified();
    if header.len < header.version.header_len() {
        return Err(bad_length(dev, peer, bh));
    }
    packet.ecn_decap(ds);
    if header.len > packet.len() {
        return Err(bad_length(dev, peer, bh));
    }
    packet.trim(header.len).map_err(|_| DropReason::NoMemory)?;
    if !packet.is_bare_ack_of(&header) {
        peer.rx_seen().set();
    }
    let source = match header.addresses {
        IpAddrs::V4 { src, .. } => Address::V4(src),
        IpAddrs::V6 { src, .. } => Address::V6(src),
    };
    let owner = dev.data().allowed_ips().lookup(source, bh);
    if !owner.is_some_and(|owner| owner.ptr_eq(peer)) {
        debug_ratelimited!(
            "{}: Packet has unallowed src IP ({}) from peer {} ({})\n",
            dev.name(),
            DisplayIp(source),
            peer.number(),
            peer.display_remote(bh)
        );
        dev.count_rx_frame_error();
        peer.note_source(source, bh);
        return Err(DropReason::InnerSource);
    }
    if let Some(label) = peer.diag().inner(bh) {
        label.put_on(packet);
    }
    Ok(())
}

/// Counts a packet without a valid IP header.
#[cold]
fn bad_header(dev: &NetDevice<Device>, peer: &Peer, bh: &Bh<'_>) -> DropReason {
    debug_ratelimited!(
        "{}: Packet is neither ipv4 nor ipv6 from peer {} ({})\n",
        dev.name(),
        peer.number(),
        peer.display_remote(bh)
    );
    dev.count_rx_frame_error();
    DropReason::InnerHeader
}

/// Counts a packet whose length contradicts its header.
#[cold]
fn bad_length(dev: &NetDevice<Device>, peer: &Peer, bh: &Bh<'_>) -> DropReason {
    debug_ratelimited!(
        "{}: Packet has incorrect size from peer {} ({})\n",
        dev.name(),
        peer.number(),
        peer.display_remote(bh)
    );
    dev.count_rx_length_error();
    DropReason::InnerLength
}
