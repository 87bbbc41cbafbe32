// SPDX-License-Identifier: GPL-2.0

//! Splitting a TCP packet that stands for several.
//!
//! `skb_segment()` can split any packet, but takes a buffer of a power of two from the slab for each segment, which
//! kernels that clear new memory clear byte by byte, and copies fields that encapsulation resets anyway. For plain TCP over
//! IP, segments are made here: pieces of pages, with the room that the caller needs, each written once. What is on the
//! wire is the same.
//!
//! C sources: `net/core/skbuff.c`, `net/ipv4/tcp_offload.c`, `net/ipv4/af_inet.c`

use super::{
    ip::IpVersion,
    raw,
    List,
    SkBuff, //
};
use crate::{
    bindings,
    context::Bh, //
};
use kernel::{
    ffi::c_int,
    prelude::*, //
};
use zerocopy::FromBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

const IPPROTO_TCP: u8 = 6;

/// The first byte of a header of IPv4 without options.
const IPV4_WITHOUT_OPTIONS: u8 = 0x45;

// The flags of TCP: those of the last segment alone, and that of the first.
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Where the checksum is in the header of TCP.
const CHECK_OFFSET: u16 = 16;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Ipv4Header {
    version_ihl: u8,
    ds: u8,
    len: [u8; 2],
    id: [u8; 2],
    fragment: [u8; 2],
    ttl: u8,
    protocol: u8,
    check: [u8; 2],
    addresses: [u8; 8],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Ipv6Header {
    class: [u8; 4],
    len: [u8; 2],
    next_header: u8,
    hop_limit: u8,
    addresses: [u8; 32],
}

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

/// Sums up words for a checksum of the Internet. The length has to be a multiple of four.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    words.fold(0, |sum: u64, word| match word.try_into() {
        Ok(word) => sum.wrapping_add(u64::from(u32::from_ne_bytes(word))),
        Err(_) => sum,
    })
}

/// Makes a checksum of a sum of words, which are fewer than 2^31.
#[inline]
fn fold(sum: u64) -> [u8; 2] {
    let halves = |sum: u64| (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    let quarters = |sum: u64| (sum & 0xffff).wrapping_add(sum >> 16);
    // Each can carry once more.
    let sum = quarters(quarters(quarters(halves(halves(sum)))));
    // CAST: Has 16 bits by now.
    (!(sum as u16)).to_ne_bytes()
}

/// What the segments of a packet have in common.
pub(super) struct Tcp {
    version: IpVersion,
    /// The length of the header of IP.
    ip_len: usize,
    /// The length of both headers.
    headers_len: usize,
    /// The most bytes of a segment behind its headers.
    mss: usize,
    /// Whether all segments have the identification of the packet.
    is_id_fixed: bool,
}

impl Tcp {
    /// Looks at a packet that stands for several. Returns nothing if it is none that can be split here.
    pub(super) fn of(skb: &mut SkBuff) -> Option<Self> {
        // CAST: Bits of an unsigned field.
        const V4: u32 = kernel::bindings::SKB_GSO_TCPV4 as u32;
        // CAST: As above.
        const V6: u32 = kernel::bindings::SKB_GSO_TCPV6 as u32;
        // CAST: As above.
        const FIXED_ID: u32 = kernel::bindings::SKB_GSO_TCP_FIXEDID as u32;
        // CAST: As above.
        const ECN: u32 = kernel::bindings::SKB_GSO_TCP_ECN as u32;

        let kind = raw::gso_type(skb.c());
        let version = match kind & !(FIXED_ID | ECN) {
            V4 => IpVersion::V4,
            V6 => IpVersion::V6,
            _ => return None,
        };
        let headers = raw::headers(skb.c());
        let is_plain = headers.encapsulation() == 0
            && headers.unreadable() == 0
            && headers.protocol == version.protocol()
            && usize::from(headers.network_header) == skb.headroom()
            && !raw::has_tx_flags(skb.c());
        // Another owner than TCP would have to be asked how it counts.
        let owner = raw::destructor(skb.c());
        // CAST: Addresses of functions, to be compared.
        let is_tcp = |f| f as usize == bindings::tcp_wfree as usize;
        if !is_plain || !owner.is_none_or(is_tcp) {
            return None;
        }
        let ip_len = version.header_len();
        let start = skb.pull_head(ip_len)?;
        let protocol = match version {
            IpVersion::V4 => {
                let (ip, _) = Ipv4Header::ref_from_prefix(start).ok()?;
                // With a source route the checksum of TCP is over another address than that of the header.
                if ip.version_ihl != IPV4_WITHOUT_OPTIONS {
                    return None;
                }
                ip.protocol
            }
            IpVersion::V6 => Ipv6Header::ref_from_prefix(start).ok()?.0.next_header,
        };
        if protocol != IPPROTO_TCP {
            return None;
        }
        let at = skb.headroom().checked_add(ip_len)?;
        if raw::partial_checksum(skb.c()) != Some((u16::try_from(at).ok()?, CHECK_OFFSET)) {
            return None;
        }
        let least = ip_len.checked_add(size_of::<TcpHeader>())?;
        let tcp = skb.pull_head(least)?.get(ip_len..)?;
        let (tcp, _) = TcpHeader::ref_from_prefix(tcp).ok()?;
        let headers_len = ip_len.checked_add(usize::from(tcp.offset >> 4).wrapping_mul(4))?;
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
            is_id_fixed: kind & FIXED_ID != 0,
        })
    }

    /// Makes the segments of the packet that was looked at. They take over its socket; without memory, nothing changes.
    pub(super) fn split(
        &self,
        skb: &mut SkBuff,
        headroom: usize,
        tailroom: usize,
        bh: &Bh<'_>,
    ) -> Result<List> {
        let mut list = List::new();
        let mut start = self.headers_len;
        while start < skb.len() {
            list.push_back(self.segment(skb, start, headroom, tailroom, bh)?);
            start = start.checked_add(self.mss).ok_or(EINVAL)?;
        }
        self.hand_over(skb, &mut list);
        Ok(list)
    }

    /// Makes the segment with what starts there in the packet.
    #[inline]
    fn segment(
        &self,
        skb: &SkBuff,
        start: usize,
        headroom: usize,
        tailroom: usize,
        bh: &Bh<'_>,
    ) -> Result<SkBuff> {
        let text_len = skb.len().saturating_sub(start).min(self.mss);
        let len = self.headers_len.checked_add(text_len).ok_or(EINVAL)?;
        let room = len.checked_add(tailroom).ok_or(EINVAL)?;
        let headers = skb.head().get(..self.headers_len).ok_or(EINVAL)?;
        let mut segment = SkBuff::alloc_piece(headroom, room, bh)?;
        let to = segment.c().data;
        // SAFETY: There is more room than that, which nobody else knows.
        unsafe { to.copy_from_nonoverlapping(headers.as_ptr(), headers.len()) };
        // CAST: Parts of the packet's length, which C limits to 31 bits.
        let (from, n) = (start as c_int, text_len as c_int);
        let to_text = to.wrapping_add(headers.len());
        // SAFETY: The packet is valid and so long, and so is the room.
        let text = unsafe { bindings::skb_copy_and_csum_bits(skb.as_raw(), from, to_text, n) };
        // CAST: As above.
        raw::set_len(segment.c_mut(), len as u32);
        self.copy_fields(skb, &mut segment);
        // SAFETY: All of the data has just been written. It lies there, and nobody else sees it.
        let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
        self.write_headers(bytes, start.wrapping_sub(self.headers_len), skb.len(), text)
            .ok_or(EINVAL)?;
        Ok(segment)
    }

    /// Copies what the stack knows of the packet, and says where the headers are.
    #[inline]
    fn copy_fields(&self, skb: &SkBuff, segment: &mut SkBuff) {
        // CAST: Headers start within the first 64 kB, here as in C.
        let at = segment.headroom() as u16;
        raw::copy_headers(skb.c(), segment.c_mut());
        raw::copy_tstamp(skb.c(), segment.c_mut());
        let headers = raw::headers_mut(segment.c_mut());
        // The checksum is written.
        headers.set_ip_summed(0);
        headers.mac_header = at;
        headers.network_header = at;
        // CAST: As above.
        headers.transport_header = at.wrapping_add(self.ip_len as u16);
    }

    /// Writes what differs between segments; this one starts `offset` bytes into all of the text, whose sum is given.
    #[inline]
    fn write_headers(
        &self,
        bytes: &mut [u8],
        offset: usize,
        packet_len: usize,
        text: u32,
    ) -> Option<()> {
        let len = bytes.len();
        let end = offset.checked_add(len)?;
        let (headers, _) = bytes.split_at_mut_checked(self.headers_len)?;
        let (ip, tcp) = headers.split_at_mut_checked(self.ip_len)?;
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
        let tcp_len = u32::try_from(len.checked_sub(self.ip_len)?).ok()?;
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
        let pseudo = [tcp_len, u32::from(IPPROTO_TCP)].map(|word| u64::from(word.to_be()));
        let check = pseudo
            .into_iter()
            .fold(addresses, u64::wrapping_add)
            .wrapping_add(sum(tcp))
            .wrapping_add(u64::from(text));
        TcpHeader::mut_from_prefix(tcp).ok()?.0.check = fold(check);
        Some(())
    }

    /// Lets the socket count the segments instead of the packet, so that it learns when each of them is gone: TCP small
    /// queues.
    fn hand_over(&self, skb: &mut SkBuff, list: &mut List) {
        let owner = raw::destructor(skb.c());
        if owner.is_none() {
            return;
        }
        let sk = skb.c().sk;
        let mut truesize = 0u32;
        for mut segment in list.iter_mut() {
            truesize = truesize.wrapping_add(segment.c().truesize);
            raw::set_owner(segment.c_mut(), sk, owner);
        }
        // CAST: The difference of two sizes far below 2^31.
        let more = truesize.wrapping_sub(skb.c().truesize) as c_int;
        match u32::try_from(more) {
            // SAFETY: The socket is valid: the packet has a part of the count.
            Ok(1..) => unsafe { bindings::sk_wmem_alloc_add(sk, more) },
            Ok(0) => {}
            // What the packet counted for beyond them is to be given back as well.
            Err(_) => {
                if let Some(mut first) = list.iter_mut().next() {
                    let first = first.c_mut();
                    first.truesize = first.truesize.wrapping_add(more.unsigned_abs());
                }
            }
        }
        raw::disown(skb.c_mut());
    }
}

#[kernel::macros::kunit_tests(kext_skb_tcp)]
mod tests {
    use super::*;
    use crate::context::Process;
    use core::ptr::null_mut;

    const HEADROOM: usize = 64;

    /// Makes a packet with this many bytes of text, for segments of `mss`.
    fn packet(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result<SkBuff> {
        let ip_len = version.header_len();
        let len = ip_len + 32 + text;
        let mut packet = SkBuff::alloc(HEADROOM, len)?
            .into_linear(HEADROOM, len)
            .map_err(|_| ENOMEM)?;
        let bytes = packet.put(len).ok_or(EINVAL)?;
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (i * 7 + i / 251) as u8;
        }
        let (ip, tcp) = bytes.split_at_mut(ip_len);
        match version {
            IpVersion::V4 => {
                let (header, _) = Ipv4Header::mut_from_prefix(ip).map_err(|_| EINVAL)?;
                header.version_ihl = IPV4_WITHOUT_OPTIONS;
                // The next ones overflow.
                header.id = [0xff, 0xfe];
                header.fragment = [0x40, 0];
                header.protocol = IPPROTO_TCP;
            }
            IpVersion::V6 => {
                let (header, _) = Ipv6Header::mut_from_prefix(ip).map_err(|_| EINVAL)?;
                header.class = [0x60, 0, 0, 0];
                header.len = u16::try_from(32 + text).map_err(|_| EINVAL)?.to_be_bytes();
                header.next_header = IPPROTO_TCP;
            }
        }
        let (header, _) = TcpHeader::mut_from_prefix(tcp).map_err(|_| EINVAL)?;
        header.seq = [0xff, 0xff, 0xff, 0x01];
        // With options.
        header.offset = 8 << 4;
        header.flags = FIN | PSH | CWR | 0x10;
        // What TCP leaves to the device: the sum of what is not in the packet.
        let length = u64::from((32 + text as u32).to_be());
        let protocol = u64::from(u32::from(IPPROTO_TCP).to_be());
        let addresses = match version {
            IpVersion::V4 => ip.get(12..20),
            IpVersion::V6 => ip.get(8..40),
        };
        let check = fold(sum(addresses.ok_or(EINVAL)?) + length + protocol);
        header.check = check.map(|byte| !byte);
        let mut skb = packet.into_skb();
        raw::reset_link_headers(skb.c_mut());
        raw::set_udp_gso(skb.c_mut(), mss, 2);
        raw::set_gso(skb.c_mut(), kind as u32, 2);
        raw::set_partial_checksum(skb.c_mut(), (HEADROOM + ip_len) as u16, CHECK_OFFSET);
        skb.c_mut().__bindgen_anon_2.tstamp = 12345;
        let headers = raw::headers_mut(skb.c_mut());
        headers.protocol = version.protocol();
        headers.transport_header = (HEADROOM + ip_len) as u16;
        Ok(skb)
    }

    /// What the stack makes of the same packet.
    fn reference(skb: SkBuff) -> Result<List> {
        // SAFETY: It asks for no device.
        unsafe { skb.segment_in_c(null_mut()) }.map_err(|(e, _)| e)
    }

    fn compare(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        let mut ours = packet(version, kind, text, mss)?;
        let tcp = Tcp::of(&mut ours).ok_or(EINVAL)?;
        let mut ours = tcp.split(&mut ours, 128, 48, &bh)?;
        let mut theirs = reference(packet(version, kind, text, mss)?)?;
        assert!(ours.len() == theirs.len());
        assert!(ours.len() == text.div_ceil(usize::from(mss)));
        while let (Some(a), Some(b)) = (ours.pop_front(), theirs.pop_front()) {
            assert!(a.data_len() == 0 && b.data_len() == 0);
            assert!(a.head() == b.head());
            assert!(a.headroom() >= 128 && raw::tailroom(a.c()) >= 48);
            assert!(!a.is_gso());
            // SAFETY: All members of the union are integers.
            assert!(unsafe { a.c().__bindgen_anon_2.tstamp } == 12345);
            let (a, b) = (raw::headers(a.c()), raw::headers(b.c()));
            assert!(a.ip_summed() == b.ip_summed());
            assert!(a.protocol == b.protocol);
            assert!(a.transport_header - a.network_header == b.transport_header - b.network_header);
        }
        Ok(())
    }

    #[test]
    fn segments_are_those_that_the_stack_makes() -> Result {
        use kernel::bindings::{
            SKB_GSO_TCPV4 as V4,
            SKB_GSO_TCPV6 as V6,
            SKB_GSO_TCP_ECN as ECN,
            SKB_GSO_TCP_FIXEDID as FIXED_ID, //
        };
        for (text, mss) in [
            (2, 1),
            (1001, 1000),
            (3000, 1000),
            (4001, 1333),
            (30_000, 1368),
        ] {
            compare(IpVersion::V4, V4, text, mss)?;
            compare(IpVersion::V4, V4 | ECN, text, mss)?;
            compare(IpVersion::V4, V4 | FIXED_ID, text, mss)?;
            compare(IpVersion::V6, V6, text, mss)?;
        }
        Ok(())
    }

    #[test]
    fn others_are_left_alone() -> Result {
        use kernel::bindings::{
            SKB_GSO_DODGY,
            SKB_GSO_TCPV4,
            SKB_GSO_TCPV6,
            SKB_GSO_UDP_L4, //
        };
        for kind in [SKB_GSO_TCPV4 | SKB_GSO_DODGY, SKB_GSO_TCPV6, SKB_GSO_UDP_L4] {
            assert!(Tcp::of(&mut packet(IpVersion::V4, kind, 3000, 1000)?).is_none());
        }
        let mut short = packet(IpVersion::V4, SKB_GSO_TCPV4, 1000, 1000)?;
        assert!(Tcp::of(&mut short).is_none());
        let mut with_options = packet(IpVersion::V4, SKB_GSO_TCPV4, 3000, 1000)?
            .into_linear(0, 0)
            .map_err(|_| ENOMEM)?;
        *with_options.bytes_mut().first_mut().ok_or(EINVAL)? = 0x46;
        assert!(Tcp::of(&mut with_options.into_skb()).is_none());
        let mut wanted = packet(IpVersion::V4, SKB_GSO_TCPV4, 3000, 1000)?;
        raw::headers_mut(wanted.c_mut()).set_encapsulation(1);
        assert!(Tcp::of(&mut wanted).is_none());
        let mut summed = packet(IpVersion::V4, SKB_GSO_TCPV4, 3000, 1000)?;
        raw::headers_mut(summed.c_mut()).set_ip_summed(0);
        assert!(Tcp::of(&mut summed).is_none());
        Ok(())
    }
}
