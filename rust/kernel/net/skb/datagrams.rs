// SPDX-License-Identifier: GPL-2.0

//! [`Datagrams`], which a socket sends with one call.

use super::{
    Segmented,
    SkBuff, //
};

/// One datagram, or several in a [`Gso`](super::Gso) packet, to be sent.
pub struct Datagrams {
    pub(in crate::net) skb: SkBuff,
    /// The number of datagrams in a GSO packet; [`None`] for a single datagram.
    pub(in crate::net) segs: Option<u16>,
}

impl Datagrams {
    /// Sets the priority (`skb->priority`).
    #[inline]
    pub fn set_priority(&mut self, priority: u32) {
        self.skb.set_priority(priority);
    }
}

impl From<SkBuff> for Datagrams {
    #[inline]
    fn from(skb: SkBuff) -> Self {
        Self { skb, segs: None }
    }
}

impl From<Segmented> for Datagrams {
    #[inline]
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
