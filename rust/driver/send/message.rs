// SPDX-License-Identifier: GPL-2.0

//! Messages of the handshake, which go to the UDP socket as they are.

use super::layout::HEADROOM;
use crate::{
    drops::drop_for,
    path::Path,
    peer::Peer, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    net::skb::SkBuff, //
};
use wg_proto::DropReason;

/// Makes a packet of a message's bytes.
pub(crate) fn message_packet(bytes: &[u8]) -> Result<SkBuff, DropReason> {
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
pub(crate) fn send_message(
    peer: &Peer,
    bytes: &[u8],
    ds: u8,
    bh: &Bh<'_>,
) -> Result<(), DropReason> {
    let packet = message_packet(bytes)?;
    match Path::to_peer(peer.device(), peer, bh) {
        Ok(path) => path.send(packet, ds, bh)?,
        Err(reason) => return Err(drop_for(packet, reason)),
    }
    peer.add_tx(1, usize_as_u64(bytes.len()));
    Ok(())
}
