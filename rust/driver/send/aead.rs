// SPDX-License-Identifier: GPL-2.0

//! Encryption of packets: headers, padding and tags, and GSO packets made of single datagrams.

use super::layout::{
    layout,
    HEADROOM, //
};
use crate::{
    crypto::{
        self,
        SEAL_HEADROOM, //
    },
    drops::drop_for,
    keypair::Keypair,
    packet::PacketCb,
    parallel::cpu_load::CryptoOp,
    peer::Peer, //
};
use kext::{
    compat::casts::{
        u32_as_usize,
        usize_as_u64, //
    },
    context::Bh,
    net::skb::{
        Gso,
        Linear,
        Packet,
        PageRing,
        Segmented,
        SkBuff,
        SkbList,
        LEAD, //
    }, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding,
    DropReason, //
};

/// Encrypts packets under consecutive nonces. Those that fail are dropped and counted.
pub(super) fn seal_all(
    keypair: &Keypair,
    first: u64,
    mut packets: SkbList<Segmented>,
    bh: &Bh<'_>,
) -> SkbList<Segmented> {
    let dev = keypair.peer().device();
    let device = dev.data();
    let loads = device.workers().loads();
    loads.account(CryptoOp::Encrypt, packets.segs(), bh, move || {
        let mut pages = dev.pages(bh).lock(bh);
        let mut sealed = SkbList::new();
        let mut nonce = first;
        loop {
            let next = match gather(keypair.peer(), &mut packets, &mut pages, bh) {
                None => packets.pop_front(),
                gso => gso,
            };
            let Some(packet) = next else {
                break;
            };
            let segs = usize_as_u64(packet.segs());
            let result = match packet.into_gso() {
                Ok(mut gso) => match seal_gso(keypair, nonce, &mut gso, bh) {
                    Ok(()) => Ok(gso.into()),
                    Err(reason) => Err(drop_for(gso, reason)),
                },
                Err(packet) => seal(keypair, nonce, packet, bh),
            };
            match result {
                Ok(packet) => sealed.push_back(packet),
                Err(reason) => keypair.peer().count_drops(reason, segs, bh),
            }
            nonce = nonce.wrapping_add(segs);
        }
        sealed
    })
}

/// Makes one GSO packet of the next packets, if there are several that allow it.
fn gather(
    peer: &Peer,
    packets: &mut SkbList<Segmented>,
    pages: &mut PageRing,
    bh: &Bh<'_>,
) -> Option<Segmented> {
    if packets.len() < 2 || !peer.gathers_gso() {
        return None;
    }
    let first = packets.front()?;
    let mtu = first.cb::<PacketCb>().mtu;
    let layout = layout(peer, mtu, true, bh);
    let gathered = Gso::gather(packets, &layout, pages, bh, |first, next| {
        let (first, next) = (first.cb::<PacketCb>(), next.cb::<PacketCb>());
        next.ds == first.ds && next.mtu == first.mtu
    });
    gathered.map(Gso::into)
}

/// Encrypts the packets of a GSO packet, and puts the header in front of each.
fn seal_gso(keypair: &Keypair, first: u64, gso: &mut Gso, bh: &Bh<'_>) -> Result<(), DropReason> {
    // Encryption overwrites this much in front of our header: the end of the message before.
    const { assert!(LEAD == SEAL_HEADROOM - DataHeader::LEN) };
    let keys = keypair.keys();
    let mut nonce = first;
    let mut slots = gso.slots();
    while let Some(mut slot) = slots.next() {
        let text = slot
            .len()
            .checked_sub(DataHeader::LEN + TAG_LEN)
            .ok_or(DropReason::TxEncrypt)?;
        let bytes = slot.bytes_mut();
        let saved = *bytes.first_chunk::<LEAD>().ok_or(DropReason::TxEncrypt)?;
        if !crypto::seal(&keys.sending, nonce, bytes, text) {
            return Err(DropReason::TxEncrypt);
        }
        let (before, message) = bytes
            .split_first_chunk_mut::<LEAD>()
            .ok_or(DropReason::TxEncrypt)?;
        *before = saved;
        message
            .first_chunk_mut::<{ DataHeader::LEN }>()
            .ok_or(DropReason::TxEncrypt)?
            .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
        nonce = nonce.wrapping_add(1);
    }
    gso.reset_for_encap(bh);
    Ok(())
}

/// Pads and encrypts a packet, and puts the header in front. Drops one that fails.
fn seal(
    keypair: &Keypair,
    nonce: u64,
    mut packet: SkBuff,
    bh: &Bh<'_>,
) -> Result<Segmented, DropReason> {
    let mtu = packet.cb::<PacketCb>().mtu;
    let len = packet.len();
    let padding = padding(len, u32_as_usize(mtu));
    let trailer = padding.saturating_add(TAG_LEN);
    if packet.finish_checksum().is_err() {
        return Err(drop_for(packet, DropReason::TxEncrypt));
    }
    let mut packet = packet
        .into_linear(HEADROOM, trailer)
        .map_err(|packet| drop_for(packet, DropReason::NoMemory))?;
    if let Err(reason) = seal_linear(keypair, nonce, &mut packet, padding) {
        return Err(drop_for(packet, reason));
    }
    let mut packet = packet.into_skb();
    packet.reset_for_encap(bh);
    Segmented::try_from(packet).map_err(|packet| drop_for(packet, DropReason::TxEncrypt))
}

/// Encrypts a packet with `padding` bytes behind it, and puts the header in front.
fn seal_linear(
    keypair: &Keypair,
    nonce: u64,
    packet: &mut Linear,
    padding: usize,
) -> Result<(), DropReason> {
    let text = packet.len().saturating_add(padding);
    let trailer = padding.saturating_add(TAG_LEN);
    packet.put(trailer).ok_or(DropReason::TxEncrypt)?;
    let message = packet.len();
    let _ = packet.put(crypto::slack(text));
    packet.push(SEAL_HEADROOM).ok_or(DropReason::TxEncrypt)?;
    let keys = keypair.keys();
    if !crypto::seal(&keys.sending, nonce, packet.bytes_mut(), text) {
        return Err(DropReason::TxEncrypt);
    }
    packet.trim(message.saturating_add(SEAL_HEADROOM));
    packet
        .pull(SEAL_HEADROOM - DataHeader::LEN)
        .ok_or(DropReason::TxEncrypt)?;
    packet
        .bytes_mut()
        .first_chunk_mut::<{ DataHeader::LEN }>()
        .ok_or(DropReason::TxEncrypt)?
        .copy_from_slice(DataHeader::new(keys.remote, nonce).as_bytes());
    Ok(())
}
