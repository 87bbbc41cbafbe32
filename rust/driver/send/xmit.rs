// SPDX-License-Identifier: GPL-2.0

//! The entry of packets from the stack: their peer, and their segments.

use super::{
    layout::layout,
    nesting::must_defer,
    packets::Packets,
    submit::submit, //
};
use crate::{
    device::Device,
    diag,
    drops::drop_for,
    endpoint::DisplayIp,
    packet::PacketCb, //
};
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
            Outgoing, //
        }, //
    }, //
};
use wg_proto::{
    prefix::Address,
    DropReason, //
};

/// Handles one packet of `ndo_start_xmit`: finds the peer by destination, segments the packet, and
/// sends or stages the result.
///
/// On failure the sender gets the error, and an ICMP message for reasons that it can act on.
pub(crate) fn xmit(dev: Running<'_, Device>, mut skb: Outgoing<'_>, bh: &Bh<'_>) -> Result {
    let device = dev.data();
    let Some(addresses) = skb.ip_version_checked().and_then(|_| skb.inner_addresses()) else {
        debug_ratelimited!("{}: Invalid IP packet\n", dev.name());
        diag::count_drops(&dev, drop_for(skb, DropReason::TxProtocol), 1, None);
        dev.count_tx_error();
        return Err(EPROTONOSUPPORT);
    };
    let Some(peer) = device.allowed_ips().lookup(destination(&addresses), bh) else {
        debug_ratelimited!(
            "{}: No peer has allowed IPs matching {}\n",
            dev.name(),
            DisplayIp(destination(&addresses))
        );
        device.diag().note_destination(destination(&addresses), bh);
        skb.icmp_unreachable(dev);
        diag::count_drops(&dev, drop_for(skb, DropReason::TxNoPeer), 1, None);
        dev.count_tx_error();
        return Err(ENOKEY);
    };
    if !peer.has_endpoint() {
        debug_ratelimited!(
            "{}: No valid endpoint has been configured or discovered for peer {}\n",
            dev.name(),
            peer.number()
        );
        skb.icmp_unreachable(dev);
        peer.count_drops(drop_for(skb, DropReason::TxNoEndpoint), 1, bh);
        dev.count_tx_error();
        return Err(EDESTADDRREQ);
    }
    // Once for all segments, and before encryption: queues on the way still see the inner flows.
    skb.hash(dev);
    let cb = PacketCb {
        mtu: skb.path_mtu(dev.mtu()),
        ds: skb.ecn_encap(),
        ..PacketCb::default()
    };
    // A bare ACK is neither data nor part of a stream; see `StreamDetector`.
    let is_ack = skb.is_bare_ack();
    if !is_ack {
        peer.tx_seen().set();
    }
    let is_answer = is_ack || peer.rx_seen().take();
    let must_defer = must_defer(skb.redirected(), bh);
    let pays = peer.gathers_gso() || !skb.is_udp_gso();
    let layout = layout(&peer, cb.mtu, pays, bh);
    let packets = skb.into_skb().segment(dev, &layout, bh);
    let mut packets = packets.inspect_err(|_| {
        peer.count_drops(DropReason::TxSegmentation, 1, bh);
        dev.count_tx_error();
    })?;
    for mut packet in packets.iter_mut() {
        *packet.cb_mut() = cb;
    }
    submit(peer, Packets::of(packets), is_answer, must_defer, bh);
    Ok(())
}

fn destination(addresses: &IpAddrs) -> Address {
    match *addresses {
        IpAddrs::V4 { dst, .. } => Address::V4(dst),
        IpAddrs::V6 { dst, .. } => Address::V6(dst),
    }
}
