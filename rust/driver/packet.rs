// SPDX-License-Identifier: GPL-2.0

//! The control block of a packet (`skb->cb`).

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Control block of a packet between the stack and the wire.
#[derive(Clone, Copy, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(crate) struct PacketCb {
    /// Counter of a received packet.
    pub(crate) counter: u64,
    /// Index of the session of a received packet.
    pub(crate) index: u32,
    /// MTU of an outgoing packet's path, which bounds its padding.
    pub(crate) mtu: u32,
    /// DS field of the outer header.
    pub(crate) ds: u8,
    /// Whether an outgoing packet is a keepalive, which carries nothing.
    pub(crate) keepalive: u8,
    pub(crate) _unused: [u8; 6],
}
