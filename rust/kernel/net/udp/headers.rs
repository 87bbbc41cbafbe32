// SPDX-License-Identifier: GPL-2.0

//! The headers in front of a datagram.

use crate::{
    bindings,
    net::{
        addr::Ipv4Addr,
        skb::inet::{
            fold,
            sum, //
        }, //
    },
};

/// Size of a UDP header.
pub(super) const UDP_LEN: u32 = 8;

/// An IPv4 header without options, and a UDP header behind it.
///
/// Length and checksum of the IPv4 header stay zero; `ip_local_out()` writes them.
#[repr(C, align(4))]
pub(in crate::net) struct Headers4([u8; Self::LEN as usize]);

impl Headers4 {
    /// Size of both headers.
    pub(in crate::net) const LEN: u32 = 20 + UDP_LEN;

    /// Makes headers without length, DS field and identification.
    pub(super) fn new(saddr: Ipv4Addr, daddr: Ipv4Addr, sport: u16, dport: u16, ttl: u8) -> Self {
        let mut bytes = [0; Self::LEN as usize];
        // Version 4, five words.
        bytes[0] = 0x45;
        bytes[8] = ttl;
        bytes[9] = bindings::CONST_IPPROTO_UDP;
        bytes[12..16].copy_from_slice(&saddr.octets());
        bytes[16..20].copy_from_slice(&daddr.octets());
        bytes[20..22].copy_from_slice(&sport.to_be_bytes());
        bytes[22..24].copy_from_slice(&dport.to_be_bytes());
        Self(bytes)
    }

    /// Returns the headers in the order of the wire.
    #[inline]
    pub(in crate::net) fn as_bytes(&self) -> &[u8; Self::LEN as usize] {
        &self.0
    }

    /// Returns a pointer to the IPv4 header.
    #[inline]
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Returns source and destination.
    pub(super) fn addresses(&self) -> (Ipv4Addr, Ipv4Addr) {
        let [.., a, b, c, d, e, f, g, h, _, _, _, _, _, _, _, _] = self.0;
        (Ipv4Addr([a, b, c, d]), Ipv4Addr([e, f, g, h]))
    }

    /// Returns the ports of source and destination.
    pub(super) fn ports(&self) -> (u16, u16) {
        let [.., a, b, c, d, _, _, _, _] = self.0;
        (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }

    /// Returns the time to live.
    pub(super) fn ttl(&self) -> u8 {
        self.0[8]
    }

    /// Sets the DS field.
    #[inline]
    pub(super) fn set_ds(&mut self, ds: u8) {
        self.0[1] = ds;
    }

    /// Adds `by` to the identification.
    #[inline]
    pub(super) fn advance_id(&mut self, by: u32) {
        let id = u16::from_be_bytes([self.0[4], self.0[5]]);
        // CAST: The number is one modulo 2^16.
        let id = id.wrapping_add(by as u16);
        self.0[4..6].copy_from_slice(&id.to_be_bytes());
    }

    /// Sets the length of the datagram, with its UDP header, and what its checksum begins with: the
    /// sum of the pseudo header (RFC 768), as `udp_set_csum()` leaves it to the device.
    #[inline]
    pub(super) fn set_len(&mut self, len: u32) {
        let protocol = u32::from(bindings::CONST_IPPROTO_UDP);
        let pseudo = sum(&self.0[12..20])
            .wrapping_add(u64::from(protocol.to_be()))
            .wrapping_add(u64::from(len.to_be()));
        let [a, b] = fold(pseudo);
        // As `udp_set_len()`: a GSO packet may be longer than the field can say.
        let len = u16::try_from(len).unwrap_or(0);
        self.0[24..26].copy_from_slice(&len.to_be_bytes());
        self.0[26..28].copy_from_slice(&[!a, !b]);
    }
}

#[kernel::macros::kunit_tests(kext_udp_headers)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_form_of_the_wire() {
        let (saddr, daddr) = (Ipv4Addr([192, 0, 2, 1]), Ipv4Addr([192, 0, 2, 2]));
        let mut headers = Headers4::new(saddr, daddr, 0x1234, 51820, 64);
        headers.set_ds(0x88);
        headers.advance_id(0xffff);
        headers.advance_id(3);
        headers.set_len(12);
        let ip = [
            0x45, 0x88, 0, 0, 0, 2, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
        ];
        assert_eq!(headers.as_bytes()[..20], ip);
        // 0xc000 + 0x0201 + 0xc000 + 0x0202 + 17 + 12 = 0x18420; with its carry 0x8421.
        assert_eq!(
            headers.as_bytes()[20..],
            [0x12, 0x34, 0xca, 0x6c, 0, 12, 0x84, 0x21]
        );
        assert!(headers.addresses() == (saddr, daddr));
        assert_eq!(headers.ports(), (0x1234, 51820));
        assert_eq!(headers.ttl(), 64);
    }
}
