// SPDX-License-Identifier: GPL-2.0

//! What cutting TCP and cutting UDP have in common.

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

/// The first byte of a header of IPv4 without options.
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

/// Sums up words for a checksum of the Internet. The length has to be a multiple of four.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    words.fold(0, |sum: u64, word| match word.try_into() {
        Ok(word) => sum.wrapping_add(u64::from(u32::from_ne_bytes(word))),
        Err(_) => sum,
    })
}

/// Makes a checksum of a sum of words, which are fewer than 2^31.
#[inline]
pub(super) fn fold(sum: u64) -> [u8; 2] {
    let halves = |sum: u64| (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    let quarters = |sum: u64| (sum & 0xffff).wrapping_add(sum >> 16);
    // Each can carry once more.
    let sum = quarters(quarters(quarters(halves(halves(sum)))));
    // CAST: Has 16 bits by now.
    (!(sum as u16)).to_ne_bytes()
}

/// A protocol over IP whose packets can be cut.
pub(super) struct Protocol {
    /// Its number.
    pub(super) number: u8,
    /// The length of its header without options.
    pub(super) header_len: usize,
    /// Where the checksum is in its header.
    pub(super) check_offset: u16,
}

/// What the segments of a packet have in common.
pub(super) struct Inet {
    version: IpVersion,
    /// The length of the header of IP.
    pub(super) ip_len: usize,
    /// The length of both headers.
    pub(super) headers_len: usize,
    /// The most bytes of a segment behind its headers.
    pub(super) mss: usize,
    /// Whether all segments have the identification of the packet.
    is_id_fixed: bool,
}

impl Inet {
    /// Looks at a packet that stands for several of a protocol over a version of IP. [`None`] if it
    /// is unusual in some way: that is left to C.
    ///
    /// `header_len` gets the first bytes of the protocol's header, and tells how long that is.
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
                // With a source route the checksum is over another address than that of the header.
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

    /// Writes what differs between the IP headers of segments. Returns the header of the protocol
    /// and the sum of its pseudo header. `bytes` is a segment that starts `offset` bytes into the
    /// text.
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
                    // CAST: There are less than 2^16 of them.
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
