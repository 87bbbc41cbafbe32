// SPDX-License-Identifier: GPL-2.0

//! Datagrams from the UDP socket.

use super::sort::sort_datagrams;
use crate::{
    diag,
    socket::Receiver, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    net::{
        skb::SkbList,
        udp, //
    }, //
};
use wg_proto::{
    message::{
        DataHeader,
        Kind, //
    },
    DropReason, //
};

impl udp::EncapRcv for Receiver {
    fn receive(&self, datagrams: SkbList, lost: usize, bh: &Bh<'_>) {
        if lost > 0 {
            diag::count_drops(&self.0, DropReason::NoMemory, usize_as_u64(lost), None);
        }
        sort_datagrams(&self.0, datagrams, bh);
    }

    // CAST: Sixteen.
    const HEADER_LEN: u32 = DataHeader::LEN as u32;

    fn may_gro(&self) -> bool {
        self.0.data().may_gro()
    }

    fn key(header: &[u8]) -> Option<u64> {
        session_index(header).map(u64::from)
    }
}

/// Returns the index of the session of a data message with this header.
fn session_index(header: &[u8]) -> Option<u32> {
    let kind = Kind::of(header, DataHeader::MIN_MESSAGE_LEN).ok()?;
    let (header, _) = DataHeader::parse(header)?;
    (kind == Kind::Data).then(|| header.receiver().get())
}
