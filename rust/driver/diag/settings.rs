// SPDX-License-Identifier: GPL-2.0

//! What user space sets for a peer by this family.

use kernel::prelude::*;
use kext::net::skb::SkBuff;

/// Bytes of a name, without the NUL at its end.
pub(super) const MAX_NAME: u16 = 63;

/// Which messages may move the endpoint of a peer.
///
/// The configuration always may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum EndpointPin {
    /// Each authentic message.
    Moves = 0,
    /// Handshake messages only.
    WithHandshakes = 1,
    /// Nothing, once it is known.
    Fixed = 2,
}

impl EndpointPin {
    /// The highest number.
    pub(super) const MAX: u16 = 2;

    /// Returns the pin with this number.
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Moves),
            1 => Some(Self::WithHandshakes),
            2 => Some(Self::Fixed),
            _ => None,
        }
    }
}

/// Returns the bytes of a name, without the NUL at its end.
pub(super) fn bytes(name: &CStr) -> &[u8] {
    let all = name.to_bytes_with_nul();
    all.split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// A mark and a priority for packets.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    /// The mark, or 0 to leave it.
    pub(crate) mark: u32,
    /// The priority, or 0 to leave it.
    pub(crate) priority: u32,
}

impl Label {
    /// Leaves everything.
    pub(crate) const NONE: Self = Self {
        mark: 0,
        priority: 0,
    };

    /// Gives it to a packet.
    pub(crate) fn put_on(self, packet: &mut SkBuff) {
        if self.mark != 0 {
            packet.set_mark(self.mark);
        }
        if self.priority != 0 {
            packet.set_priority(self.priority);
        }
    }
}

/// What user space has set for a peer. Made at the first setting, and replaced as a whole.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// The bytes of the name, then zeros.
    name: [u8; MAX_NAME as usize + 1],
    /// Which messages may move the endpoint.
    pub(super) pin: EndpointPin,
    /// Mark and priority of packets that leave the tunnel.
    pub(super) inner: Label,
    /// Mark and priority of datagrams to the peer.
    pub(super) outer: Label,
}

impl Settings {
    /// What holds if nothing is set.
    pub(super) const DEFAULT: Self = Self {
        name: [0; MAX_NAME as usize + 1],
        pin: EndpointPin::Moves,
        inner: Label::NONE,
        outer: Label::NONE,
    };

    /// Returns the name, which is empty if there is none.
    pub(super) fn name(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.name).unwrap_or_default()
    }

    /// Sets the name. What is too long is cut.
    pub(super) fn set_name(&mut self, name: &CStr) {
        self.name.fill(0);
        let len = self.name.len().saturating_sub(1);
        for (to, from) in self.name.iter_mut().take(len).zip(bytes(name)) {
            *to = *from;
        }
    }
}
