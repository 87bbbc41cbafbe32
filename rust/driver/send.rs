// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface.
//!
//! 1. [`xmit`] runs in `ndo_start_xmit`: finds the peer, and segments a super-packet.
//! 2. [`submit`] sends packets inline if nothing is ahead of them, or stages them in [`tx`].
//! 3. `staged.rs` takes staged packets with their nonces, here or in a work item. If that does not
//!    run, a timer does it (`../watchdog.rs`).
//! 4. `encrypt.rs` has them encrypted on this CPU or on a less busy one, by `aead.rs`.
//! 5. `release.rs` releases encrypted batches by sequence number, from one CPU.
//! 6. `transmit.rs` finds the path and hands them to the UDP socket.
//!
//! With nothing ahead, [`submit`] goes straight to 4 and 6 ([`send_inline`]), then to 5 for what
//! got ready meanwhile. `deferred.rs` queues the work items for 3 and 5.

mod aead;
mod deferred;
mod encrypt;
mod layout;
mod nesting;
mod next;
mod packets;
mod release;
mod rewritten;
mod staged;
mod transmit;
pub(crate) mod tx;
mod tx_cpu;

pub(crate) use deferred::is_work_item_sending;
pub(crate) use layout::HEADROOM;
pub(crate) use release::send_ready;
pub(crate) use staged::{
    send_some,
    send_staged, //
};

use crate::{
    device::Device,
    diag,
    drops::drop_for,
    endpoint::DisplayIp,
    packet::PacketCb,
    path::Path,
    peer::Peer, //
};
use deferred::defer;
use encrypt::send_inline;
use kernel::prelude::*;
use kext::compat::code::{
    EDESTADDRREQ,
    ENOKEY,
    EPROTONOSUPPORT, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    debug_ratelimited,
    net::{
        device::Running,
        skb::{
            Buffer,
            IpAddrs,
            Outgoing,
            Segmented,
            SkBuff,
            SkbList, //
        }, //
    },
    sync::rcu::Ref, //
};
use layout::layout;
use nesting::must_defer;
use next::AfterStaging;
use packets::Packets;
use tx::{
    drop_staged,
    drop_unstaged,
    make_room, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
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

/// Sends packets, or stages them.
///
/// Back-to-back single packets are deferred to a work item, which sends everything staged by the
/// time it runs. A sender that waits for an answer is not delayed. The work item also sends
/// bursts so large that this CPU has to run softirqs in between, and packets that must not leave
/// within this call (`must_defer`, see [`nesting`]).
fn submit(peer: Ref<'_, Peer>, packets: Packets, is_answer: bool, must_defer: bool, bh: &Bh<'_>) {
    let device = peer.device().data();
    let keypair = peer.current(bh).filter(|current| current.may_send());
    let defers;
    {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        defers = must_defer || tx.should_defer(peer, &packets, is_answer, bh) && keypair.is_some();
        if let Some(keypair) = keypair.filter(|_| !defers) {
            if let Some(first) = tx.begin_inline(peer, &keypair, packets.datagrams(), bh) {
                drop(guard);
                return send_inline(peer, &keypair, first, packets, bh);
            }
        }
        if device.tx_memory().try_charge(packets.bytes(), bh) {
            let staged = tx.stage(peer, packets, keypair.is_some(), defers, bh);
            drop(guard);
            return after_staging(peer, staged, bh);
        }
    }
    if !make_room(peer, packets.bytes(), bh) {
        return drop_unstaged(&peer, packets, DropReason::TxQueueFull, bh);
    }
    let staged = {
        let mut tx = peer.tx().lock(bh);
        tx.stage(peer, packets, keypair.is_some(), defers, bh)
    };
    after_staging(peer, staged, bh);
}

/// Goes on after packets were staged, and drops old ones.
fn after_staging(peer: Ref<'_, Peer>, (next, old): (AfterStaging, Packets), bh: &Bh<'_>) {
    drop_staged(&peer, old, DropReason::TxStagedOverflow, bh);
    match next {
        AfterStaging::Send => {
            send_some(peer, u32::MAX, bh);
        }
        AfterStaging::Defer => defer(peer, bh),
        AfterStaging::Nothing => {}
    }
}

/// Sends a keepalive, or staged packets if there are any.
pub(crate) fn keepalive(peer: Ref<'_, Peer>, bh: &Bh<'_>) {
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
            return drop_unstaged(&peer, packets, DropReason::TxQueueFull, bh);
        }
        peer.tx().lock(bh).add(peer, packets, bh);
    }
    send_staged(peer, bh);
}

/// Makes a packet of a message's bytes.
pub(crate) fn datagram(bytes: &[u8]) -> Result<SkBuff, DropReason> {
    let packet = SkBuff::alloc(HEADROOM, bytes.len()).map_err(|_| DropReason::NoMemory)?;
    let mut packet = packet
        .into_linear(HEADROOM, bytes.len())
        .map_err(|packet| drop_for(packet, DropReason::NoMemory))?;
    let Some(room) = packet.put(bytes.len()) else {
        return Err(drop_for(packet, DropReason::NoMemory));
    };
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(packet.into_skb())
}

/// Sends a handshake message to a peer.
pub(crate) fn message(peer: &Peer, bytes: &[u8], ds: u8, bh: &Bh<'_>) -> Result<(), DropReason> {
    let packet = datagram(bytes)?;
    match Path::to_peer(peer.device(), peer, bh) {
        Ok(path) => path.send(packet, ds, bh)?,
        Err(reason) => return Err(drop_for(packet, reason)),
    }
    peer.add_tx(1, usize_as_u64(bytes.len()));
    Ok(())
}
