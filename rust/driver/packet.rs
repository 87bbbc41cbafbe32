// SPDX-License-Identifier: GPL-2.0

//! What travels with a packet in its control block.

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Control block of a packet while it is ours.
#[derive(Clone, Copy, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(crate) struct PacketCb {
    /// Counter of a received packet.
    pub(crate) counter: u64,
    /// Outgoing: MTU of the packet's path, which bounds its padding. Incoming: index of its session.
    pub(crate) mtu_or_index: u32,
    /// DS field of the outer header.
    pub(crate) ds: u8,
    /// Whether an outgoing packet carries nothing.
    pub(crate) keepalive: u8,
    pub(crate) _unused: [u8; 2],
}
