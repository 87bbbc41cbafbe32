// SPDX-License-Identifier: GPL-2.0

//! What a socket sends at once.

use super::{
    Segmented,
    SkBuff, //
};

/// One datagram or a [`Gso`](super::Gso) packet of them, to be sent.
pub struct Datagrams {
    pub(in crate::net) skb: SkBuff,
    /// How many these are, if it is a GSO packet.
    pub(in crate::net) segs: Option<u16>,
}

impl Datagrams {
    /// Sets the priority.
    #[inline]
    pub fn set_priority(&mut self, priority: u32) {
        self.skb.set_priority(priority);
    }
}

impl From<SkBuff> for Datagrams {
    fn from(skb: SkBuff) -> Self {
        Self { skb, segs: None }
    }
}

impl From<Segmented> for Datagrams {
    fn from(packet: Segmented) -> Self {
        match packet.into_gso() {
            Ok(gso) => {
                let (skb, segs) = gso.into_parts();
                Self {
                    skb,
                    segs: Some(segs),
                }
            }
            Err(skb) => skb.into(),
        }
    }
}
