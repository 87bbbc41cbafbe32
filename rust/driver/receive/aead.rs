// SPDX-License-Identifier: GPL-2.0

//! Decryption of packets: in place if nobody else reads them, else into a new buffer.

use crate::{
    crypto,
    drops::drop_for,
    keypair::Keypair,
    packet::PacketCb,
    parallel::cpu_load::CryptoOp, //
};
use kext::{
    context::Bh,
    net::skb::{
        Buffer,
        Linear,
        PageRing,
        SkBuff,
        SkbList, //
    }, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    DropReason, //
};

/// Decrypts packets. Those that fail are dropped and counted.
pub(super) fn open_all(keypair: &Keypair, mut packets: SkbList, bh: &Bh<'_>) -> SkbList {
    let dev = keypair.peer().device();
    let device = dev.data();
    let loads = device.workers().loads();
    loads.account(CryptoOp::Decrypt, packets.len(), bh, move || {
        let mut pages = dev.pages(bh).lock(bh);
        let mut opened = SkbList::new();
        while let Some(packet) = packets.pop_front() {
            match open(keypair, packet, &mut pages, bh) {
                Ok(packet) => opened.push_back(packet),
                Err(reason) => keypair.peer().count_drops(reason, 1, bh),
            }
        }
        opened
    })
}

/// Decrypts a packet and returns the padded inner packet. Drops one that fails.
#[inline]
fn open(
    keypair: &Keypair,
    packet: SkBuff,
    pages: &mut PageRing,
    bh: &Bh<'_>,
) -> Result<SkBuff, DropReason> {
    let Some(text) = packet.len().checked_sub(DataHeader::LEN + TAG_LEN) else {
        return Err(drop_for(packet, DropReason::BadLength));
    };
    let packet = match packet.try_linear() {
        Ok(packet) => return open_in_place(keypair, packet, DataHeader::LEN, text),
        // The data may have other readers, or another owner.
        Err(packet) => packet,
    };
    let sealed = text.saturating_add(TAG_LEN);
    let Ok(mut opened) = packet.alloc_derived(sealed, pages, bh) else {
        // The packet has unusual headers, or there is no memory.
        let packet = packet
            .into_linear(0, 0)
            .map_err(|packet| drop_for(packet, DropReason::NoMemory))?;
        return open_in_place(keypair, packet, DataHeader::LEN, text);
    };
    let done = match packet.piece(DataHeader::LEN, sealed) {
        Some(sealed) => {
            let key = &keypair.keys().receiving;
            let counter = packet.cb::<PacketCb>().counter;
            opened
                .put_with(text, |room| crypto::open_into(key, counter, sealed, room))
                .ok_or(DropReason::BadData)
        }
        None => opened
            .put_copy(&packet, DataHeader::LEN, sealed)
            .ok_or(DropReason::NoMemory)
            .and_then(|()| open_linear(keypair, &mut opened, 0, text)),
    };
    match done {
        Ok(()) => {
            packet.consume();
            Ok(opened.into_skb())
        }
        Err(reason) => {
            opened.consume();
            Err(drop_for(packet, reason))
        }
    }
}

/// Decrypts the text that starts at `start` of the packet. Drops one that fails.
#[inline]
fn open_in_place(
    keypair: &Keypair,
    mut packet: Linear,
    start: usize,
    text: usize,
) -> Result<SkBuff, DropReason> {
    match open_linear(keypair, &mut packet, start, text) {
        Ok(()) => Ok(packet.into_skb()),
        Err(reason) => Err(drop_for(packet, reason)),
    }
}

/// Decrypts the text that starts at `start`, and cuts the packet down to it.
#[inline]
fn open_linear(
    keypair: &Keypair,
    packet: &mut Linear,
    start: usize,
    text: usize,
) -> Result<(), DropReason> {
    let counter = packet.as_skb().cb::<PacketCb>().counter;
    let _ = packet.put(crypto::slack(text));
    let body = packet
        .bytes_mut()
        .get_mut(start..)
        .ok_or(DropReason::BadLength)?;
    if !crypto::open(&keypair.keys().receiving, counter, body, text) {
        return Err(DropReason::BadData);
    }
    packet.pull(start).ok_or(DropReason::BadLength)?;
    packet.trim(text);
    Ok(())
}
