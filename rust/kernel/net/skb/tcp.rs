// SPDX-License-Identifier: GPL-2.0

//! [`Tcp`], which segments a TCP GSO packet.
//!
//! C source: `net/ipv4/tcp_offload.c`

use super::{
    inet::{
        fold,
        sum,
        Inet,
        Protocol, //
    },
    ip::IpVersion,
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

/// The number of TCP in the IP header.
pub(super) const NUMBER: u8 = 6;

const TCP: Protocol = Protocol {
    number: NUMBER,
    header_len: size_of::<TcpHeader>(),
    check_offset: 16,
};

// Flags of TCP. Segmentation keeps FIN and PSH in the last segment only, and CWR in the first.
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct TcpHeader {
    ports: [u8; 4],
    seq: [u8; 4],
    ack: [u8; 4],
    offset: u8,
    flags: u8,
    window: [u8; 2],
    check: [u8; 2],
    urgent: [u8; 2],
}

/// Returns the header length of a segment with neither SYN, FIN nor RST, in bytes. If nothing
/// follows the header, such a segment only acknowledges.
#[inline]
pub(super) fn bare_len(header: &[u8; size_of::<TcpHeader>()]) -> Option<usize> {
    let header = TcpHeader::ref_from_bytes(header).ok()?;
    (header.flags & (FIN | SYN | RST) == 0)
        .then(|| usize::from(header.offset >> 4).saturating_mul(4))
}

/// A TCP GSO packet that is to be cut.
pub(super) struct Tcp(Inet);

impl Tcp {
    /// Checks a GSO packet, and pulls its headers. [`None`] for one that C has to segment.
    pub(super) fn of(skb: &mut SkBuff) -> Option<Self> {
        // CAST: Bits of an unsigned field.
        const V4: u32 = crate::bindings::SKB_GSO_TCPV4 as u32;
        // CAST: As above.
        const V6: u32 = crate::bindings::SKB_GSO_TCPV6 as u32;
        // CAST: As above.
        const FIXED_ID: u32 = crate::bindings::SKB_GSO_TCP_FIXEDID as u32;
        // CAST: As above.
        const ECN: u32 = crate::bindings::SKB_GSO_TCP_ECN as u32;

        let kind = raw::gso_type(skb.c());
        let version = match kind & !(FIXED_ID | ECN) {
            V4 => IpVersion::V4,
            V6 => IpVersion::V6,
            _ => return None,
        };
        let header_len = |header: &[u8]| {
            let (tcp, _) = TcpHeader::ref_from_prefix(header).ok()?;
            Some(usize::from(tcp.offset >> 4).wrapping_mul(4))
        };
        Inet::of(skb, version, &TCP, kind & FIXED_ID != 0, header_len).map(Self)
    }
}

impl Cut for Tcp {
    #[inline]
    fn inet(&self) -> &Inet {
        &self.0
    }

    #[inline]
    fn write_headers(
        &self,
        bytes: &mut [u8],
        offset: usize,
        packet_len: usize,
        text: u32,
    ) -> Option<()> {
        let end = offset.checked_add(bytes.len())?;
        let (tcp, pseudo) = self.0.write_ip(bytes, offset, &TCP)?;
        let header = TcpHeader::mut_from_prefix(&mut *tcp).ok()?.0;
        let seq = u32::from_be_bytes(header.seq).wrapping_add(u32::try_from(offset).ok()?);
        header.seq = seq.to_be_bytes();
        if end < packet_len {
            header.flags &= !(FIN | PSH);
        }
        if offset != 0 {
            header.flags &= !CWR;
        }
        header.check = [0; 2];
        let check = pseudo.wrapping_add(sum(tcp)).wrapping_add(u64::from(text));
        TcpHeader::mut_from_prefix(tcp).ok()?.0.check = fold(check);
        Some(())
    }
}
