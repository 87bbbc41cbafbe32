// SPDX-License-Identifier: GPL-2.0

//! [`Udp`], which segments a UDP GSO packet: one that a program sends with `UDP_SEGMENT`, as QUIC
//! implementations do.
//!
//! C source: `net/ipv4/udp_offload.c`

use super::{
    inet::{
        fold,
        sum,
        Inet,
        Protocol, //
    },
    raw,
    segment::Cut,
    SkBuff, //
};
use zerocopy::FromBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

const UDP: Protocol = Protocol {
    number: 17,
    header_len: size_of::<UdpHeader>(),
    check_offset: 6,
};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct UdpHeader {
    ports: [u8; 4],
    len: [u8; 2],
    check: [u8; 2],
}

/// A UDP GSO packet that is to be cut.
pub(super) struct Udp(Inet);

impl Udp {
    /// Checks a GSO packet, and pulls its headers. [`None`] for one that C has to segment.
    pub(super) fn of(skb: &mut SkBuff) -> Option<Self> {
        // CAST: A bit of an unsigned field.
        const KIND: u32 = crate::bindings::SKB_GSO_UDP_L4 as u32;

        if raw::gso_type(skb.c()) != KIND {
            return None;
        }
        let version = skb.ip_version_checked()?;
        let header_len = |_: &[u8]| Some(UDP.header_len);
        Inet::of(skb, version, &UDP, false, header_len).map(Self)
    }
}

impl Cut for Udp {
    #[inline]
    fn inet(&self) -> &Inet {
        &self.0
    }

    #[inline]
    fn write_headers(
        &self,
        bytes: &mut [u8],
        offset: usize,
        _packet_len: usize,
        text: u32,
    ) -> Option<()> {
        let len = bytes.len().checked_sub(self.0.ip_len)?;
        let (udp, pseudo) = self.0.write_ip(bytes, offset, &UDP)?;
        let header = UdpHeader::mut_from_prefix(&mut *udp).ok()?.0;
        header.len = u16::try_from(len).ok()?.to_be_bytes();
        header.check = [0; 2];
        let check = pseudo.wrapping_add(sum(udp)).wrapping_add(u64::from(text));
        // A UDP checksum of zero means that there is none.
        UdpHeader::mut_from_prefix(udp).ok()?.0.check = match fold(check) {
            [0, 0] => [0xff, 0xff],
            check => check,
        };
        Some(())
    }
}
