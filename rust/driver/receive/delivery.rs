// SPDX-License-Identifier: GPL-2.0

//! Delivery of what was decrypted: is it new, whose is it, may it pass.

use crate::{
    device::Device,
    endpoint::{
        DisplayIp, //
        Endpoint,
    },
    keypair::Keypair,
    packet::PacketCb,
    peer::Peer,
    send,
    timers, //
};
use kext::{
    context::Bh,
    debug_ratelimited,
    net::{
        device::NetDevice,
        napi::Gro,
        skb::{
            self,
            IpAddrs,
            SkBuff, //
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

/// Delivers decrypted packets of one session in order.
pub(super) fn deliver(
    keypair: &Keypair,
    mut packets: skb::List,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) {
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
                DropReason::ReplayedCounter
            } else {
                DropReason::CounterLimit
            });
        }
    }
    // The datagrams of a batch come one after the other: the latest tells where the peer is.
    let source = fresh.back().and_then(|packet| packet.udp_source());
    let Some(endpoint) = source.as_ref().map(Endpoint::of) else {
        return;
    };
    peer.seen_at(&endpoint, bh);
    timers::authenticated_received(peer, bh);
    // The second packet tells that one keepalive will not be enough.
    for _ in fresh.iter().filter(|packet| !packet.is_empty()).take(2) {
        timers::data_received(peer, bh);
    }
    // Only now, as from here on others may send by this session: that is an answer to these packets, and they are none to it.
    let confirmed = peer.is_next(keypair, bh) && peer.confirm(keypair, bh);
    if confirmed {
        timers::handshake_complete(peer, bh);
    }
    if let Some(current) = peer.current(bh).filter(|current| current.may_send()) {
        timers::keep_key_fresh_on_receive(peer, current.age(), time::boottime_coarse(), bh);
    }
    if confirmed {
        send::send_staged(peer.borrow(), bh);
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
                peer.display_remote(bh)
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
) -> Result<(), DropReason> {
    let ds = packet.cb::<PacketCb>().ds;
    packet.reset_for_decap();
    let bad_header = || {
        debug_ratelimited!(
            "{}: Packet is neither ipv4 nor ipv6 from peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.display_remote(bh)
        );
        dev.count_rx_frame_error();
        DropReason::InnerHeader
    };
    let bad_length = || {
        debug_ratelimited!(
            "{}: Packet has incorrect size from peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.display_remote(bh)
        );
        dev.count_rx_length_error();
        DropReason::InnerLength
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
    packet.trim(len).map_err(|_| DropReason::NoMemory)?;
    if !packet.is_bare_ack() {
        peer.rx_seen().set();
    }
    let source = match packet.inner_addresses().ok_or_else(bad_header)? {
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
        return Err(DropReason::InnerSource);
    }
    if gro.receive(packet) {
        Ok(())
    } else {
        Err(DropReason::Gone)
    }
}
