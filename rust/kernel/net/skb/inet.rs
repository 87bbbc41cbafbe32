// SPDX-License-Identifier: GPL-2.0

//! The part of segmentation that TCP and UDP share: checks of the packet, IP headers, checksums.

use super::{
    ip::IpVersion,
    owner,
    raw,
    SkBuff, //
};
use zerocopy::FromBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// The first byte of an IPv4 header without options.
pub(super) const IPV4_WITHOUT_OPTIONS: u8 = 0x45;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Ipv4Header {
    pub(super) version_ihl: u8,
    pub(super) ds: u8,
    pub(super) len: [u8; 2],
    pub(super) id: [u8; 2],
    pub(super) fragment: [u8; 2],
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) check: [u8; 2],
    pub(super) addresses: [u8; 8],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Ipv6Header {
    pub(super) class: [u8; 4],
    pub(super) len: [u8; 2],
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) addresses: [u8; 32],
}

/// Returns the sum of the 32-bit words of `bytes`, for an Internet checksum. The length has to be a
/// multiple of four.
#[inline]
pub(in crate::net) fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    words.fold(0, |sum: u64, word| match word.try_into() {
        Ok(word) => sum.wrapping_add(u64::from(u32::from_ne_bytes(word))),
        Err(_) => sum,
    })
}

/// Folds a sum of fewer than 2^31 words to 16 bits, and returns the complement: the checksum as it
/// is stored.
#[inline]
pub(in crate::net) fn fold(sum: u64) -> [u8; 2] {
    let halves = |sum: u64| (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    let quarters = |sum: u64| (sum & 0xffff).wrapping_add(sum >> 16);
    // An addition can carry, and the next one adds that carry.
    let sum = quarters(quarters(quarters(halves(halves(sum)))));
    // CAST: Has 16 bits by now.
    (!(sum as u16)).to_ne_bytes()
}

/// A transport protocol whose packets this crate can segment.
pub(super) struct Protocol {
    /// The number of the protocol in the IP header.
    pub(super) number: u8,
    /// The length of its header without options, in bytes.
    pub(super) header_len: usize,
    /// The offset of the checksum in its header.
    pub(super) check_offset: u16,
}

/// What all segments of a packet have in common. Lengths are in bytes.
pub(super) struct Inet {
    version: IpVersion,
    /// The length of the IP header.
    pub(super) ip_len: usize,
    /// The length of IP header and transport header together.
    pub(super) headers_len: usize,
    /// The most bytes of payload in a segment (`gso_size`).
    pub(super) mss: usize,
    /// Whether all segments keep the IPv4 identification of the packet (`SKB_GSO_TCP_FIXEDID`).
    is_id_fixed: bool,
}

impl Inet {
    /// Checks a GSO packet of `protocol` over `version`, and pulls its headers. [`None`] if it is
    /// unusual in some way; C segments such a packet.
    ///
    /// `header_len` gets the first bytes of the transport header, and returns its length with
    /// options.
    pub(super) fn of(
        skb: &mut SkBuff,
        version: IpVersion,
        protocol: &Protocol,
        is_id_fixed: bool,
        header_len: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<Self> {
        let headers = raw::headers(skb.c());
        let is_plain = headers.encapsulation() == 0
            && headers.unreadable() == 0
            && headers.protocol == version.protocol()
            && usize::from(headers.network_header) == skb.headroom()
            && !raw::has_tx_flags(skb.c());
        if !is_plain || !owner::is_usual(skb.c()) {
            return None;
        }
        let ip_len = version.header_len();
        let start = skb.pull_head(ip_len)?;
        let number = match version {
            IpVersion::V4 => {
                let (ip, _) = Ipv4Header::ref_from_prefix(start).ok()?;
                // With a source route, the checksum covers another destination than that in the
                // header.
                if ip.version_ihl != IPV4_WITHOUT_OPTIONS {
                    return None;
                }
                ip.protocol
            }
            IpVersion::V6 => Ipv6Header::ref_from_prefix(start).ok()?.0.next_header,
        };
        if number != protocol.number {
            return None;
        }
        let at = skb.headroom().checked_add(ip_len)?;
        let check = Some((u16::try_from(at).ok()?, protocol.check_offset));
        if raw::partial_checksum(skb.c()) != check {
            return None;
        }
        let least = ip_len.checked_add(protocol.header_len)?;
        let headers_len = ip_len.checked_add(header_len(skb.pull_head(least)?.get(ip_len..)?)?)?;
        let mss = usize::from(raw::gso_size(skb.c()));
        if headers_len < least || skb.len() <= headers_len.checked_add(mss)? || mss == 0 {
            return None;
        }
        skb.pull_head(headers_len)?;
        Some(Self {
            version,
            ip_len,
            headers_len,
            mss,
            is_id_fixed,
        })
    }

    /// Writes the fields of the IP header in which segments differ. Returns the transport header
    /// and the sum of its pseudo header. `bytes` is a segment whose payload starts `offset` bytes
    /// into that of the packet.
    #[inline]
    pub(super) fn write_ip<'b>(
        &self,
        bytes: &'b mut [u8],
        offset: usize,
        protocol: &Protocol,
    ) -> Option<(&'b mut [u8], u64)> {
        let len = bytes.len();
        let (headers, _) = bytes.split_at_mut_checked(self.headers_len)?;
        let (ip, rest) = headers.split_at_mut_checked(self.ip_len)?;
        let addresses = match self.version {
            IpVersion::V4 => {
                let header = Ipv4Header::mut_from_prefix(ip).ok()?.0;
                header.len = u16::try_from(len).ok()?.to_be_bytes();
                if !self.is_id_fixed {
                    // CAST: There are fewer than 2^16 segments.
                    let number = offset.checked_div(self.mss)? as u16;
                    let id = u16::from_be_bytes(header.id).wrapping_add(number);
                    header.id = id.to_be_bytes();
                }
                header.check = [0; 2];
                let addresses = sum(&header.addresses);
                let check = fold(sum(ip));
                Ipv4Header::mut_from_prefix(ip).ok()?.0.check = check;
                addresses
            }
            IpVersion::V6 => {
                let header = Ipv6Header::mut_from_prefix(ip).ok()?.0;
                let len = u16::try_from(len.checked_sub(self.ip_len)?).ok()?;
                header.len = len.to_be_bytes();
                sum(&header.addresses)
            }
        };
        let behind = u32::try_from(len.checked_sub(self.ip_len)?).ok()?;
        let pseudo = [behind, u32::from(protocol.number)].map(|word| u64::from(word.to_be()));
        Some((rest, pseudo.into_iter().fold(addresses, u64::wrapping_add)))
    }
}
