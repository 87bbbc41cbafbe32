// SPDX-License-Identifier: GPL-2.0

//! Keepalives.

use super::{
    layout::HEADROOM,
    packets::Packets,
    staged::send_staged,
    tx::{
        drop_uncharged,
        make_room, //
    }, //
};
use crate::{
    packet::PacketCb,
    peer::Peer, //
};
use kext::{
    context::Bh,
    debug_ratelimited,
    net::skb::{
        Buffer,
        Segmented,
        SkBuff,
        SkbList, //
    },
    sync::rcu::Ref, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    DropReason, //
};

/// Sends a keepalive, or staged packets if there are any.
pub(crate) fn send_keepalive(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
    let dev = peer.device();
    if peer.tx().lock(bh).is_empty() {
        let Ok(mut packet) = SkBuff::alloc(HEADROOM, TAG_LEN + DataHeader::LEN) else {
            return;
        };
        *packet.cb_mut() = PacketCb {
            mtu: dev.mtu(),
            keepalive: 1,
            ..PacketCb::default()
        };
        debug_ratelimited!(
            "{}: Sending keepalive packet to peer {} ({})\n",
            dev.name(),
            peer.number(),
            peer.display_remote(bh)
        );
        let mut packets = SkbList::new();
        match Segmented::try_from(packet) {
            Ok(packet) => packets.push_back(packet),
            // A keepalive is no GSO packet.
            Err(packet) => return packet.consume(),
        }
        let packets = Packets::of(packets);
        if !make_room(peer, packets.bytes(), bh) {
            return drop_uncharged(&peer, packets, DropReason::TxQueueFull, bh);
        }
        peer.tx().lock(bh).add(peer, packets, bh);
    }
    send_staged(peer, bh);
}
