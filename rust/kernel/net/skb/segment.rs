// SPDX-License-Identifier: GPL-2.0

//! Segmentation of packets that are to be carried in datagrams.
//!
//! `skb_segment()` can cut any packet, but takes a buffer of a power of two from the slab for each
//! segment, which kernels that clear new memory clear byte by byte, and copies fields that
//! encapsulation resets anyway. Plain TCP and UDP over IP are cut here: each segment is copied once,
//! with its checksum, to its place in a [`Gso`](super::Gso) packet or in a buffer of its own. What
//! is on the wire is the same.
//!
//! C sources: `net/core/skbuff.c`, `net/ipv4/tcp_offload.c`, `net/ipv4/udp_offload.c`

use super::{
    builder::Builder,
    gso::{
        div_ceil,
        Layout,
        Segmented, //
    },
    inet::Inet,
    owner::hand_over,
    pages::PageRing,
    raw,
    tcp::Tcp,
    udp::Udp,
    List,
    Operations,
    Running,
    SkBuff, //
};
use crate::{
    bindings,
    context::Bh, //
};
use core::ptr::null_mut;
use kernel::{
    ffi::c_int,
    prelude::*, //
};

/// How a packet of a protocol is cut.
pub(super) trait Cut {
    /// What its segments have in common.
    fn inet(&self) -> &Inet;

    /// The length of the IP header.
    #[inline]
    fn ip_len(&self) -> usize {
        self.inet().ip_len
    }

    /// The length of all headers that each segment gets.
    #[inline]
    fn headers_len(&self) -> usize {
        self.inet().headers_len
    }

    /// The most bytes of a segment behind its headers.
    #[inline]
    fn mss(&self) -> usize {
        self.inet().mss
    }

    /// Writes what differs between segments. `bytes` is a segment that starts `offset` bytes into
    /// the text of a packet of `packet_len` bytes; the sum of its own text is `text`.
    fn write_headers(
        &self,
        bytes: &mut [u8],
        offset: usize,
        packet_len: usize,
        text: u32,
    ) -> Option<()>;
}

impl SkBuff {
    /// Cuts the packet into those that it stands for, without their destination, which `dev` is to
    /// send as `layout` says.
    ///
    /// # Errors
    ///
    /// What C says of a packet that it cannot cut, `ENOMEM` among it. The packet is freed.
    pub fn segment<T: Operations, F: Fn(usize) -> usize>(
        self,
        dev: Running<'_, T>,
        layout: &Layout<'_, F>,
        bh: &Bh<'_>,
    ) -> Result<List<Segmented>> {
        let mut packet = match Segmented::try_from(self) {
            Ok(mut packet) => {
                packet.drop_dst();
                let mut list = List::new();
                list.push_back(packet);
                return Ok(list);
            }
            Err(skb) => skb,
        };
        match packet.segment_here(layout, bh) {
            Some(Ok(list)) => {
                packet.consume();
                Ok(list)
            }
            Some(Err(e)) => Err(e),
            // SAFETY: The device is there as long as `dev` is. Tunnels ask for it.
            None => unsafe { packet.segment_in_c(dev.as_raw()) },
        }
    }

    /// The part of [`SkBuff::segment`] that is done here. [`None`] for a packet that is left to C.
    fn segment_here<F: Fn(usize) -> usize>(
        &mut self,
        layout: &Layout<'_, F>,
        bh: &Bh<'_>,
    ) -> Option<Result<List<Segmented>>> {
        if let Some(tcp) = Tcp::of(self) {
            return Some(split(&tcp, self, layout, bh));
        }
        let udp = Udp::of(self)?;
        Some(split(&udp, self, layout, bh))
    }

    /// The part of [`SkBuff::segment`] that the stack does.
    ///
    /// # Safety
    ///
    /// `dev` must be null or valid for the call.
    pub(super) unsafe fn segment_in_c(
        mut self,
        dev: *mut bindings::net_device,
    ) -> Result<List<Segmented>> {
        raw::set_dev(self.c_mut(), dev);
        // Nobody asks for the destination, and each segment would have to count it.
        let destination = raw::replace_refdst(self.c_mut(), 0);
        // SAFETY: The buffer is not shared. Without features, all is done in software.
        let first = unsafe { bindings::__skb_gso_segment(self.as_raw(), 0, true) };
        // INVARIANT: The device is not set again, and the destination is that of before. The segments are detached below.
        raw::set_dev(self.c_mut(), null_mut());
        raw::replace_refdst(self.c_mut(), destination);
        // On failure C may have taken the packet apart already, so nobody gets it back.
        let mut next = kernel::error::from_err_ptr(first)?;
        if next.is_null() {
            return Err(EINVAL);
        }
        // If this one is among its segments, then there is a reference more.
        self.consume();
        let mut list = List::new();
        while !next.is_null() {
            let skb = next;
            // SAFETY: A segment is a valid buffer, which is ours.
            next = raw::take_next(unsafe { &mut *skb });
            // SAFETY: As above; it has just been taken off the list.
            let segment = unsafe { SkBuff::from_shared(skb) };
            if let Some(Ok(mut segment)) = segment.map(Segmented::try_from) {
                segment.drop_dst();
                list.push_back(segment);
            }
        }
        Ok(list)
    }
}

/// Makes the segments of a packet that can be cut so. They take over its socket; without memory,
/// nothing changes.
pub(super) fn split<F: Fn(usize) -> usize>(
    cut: &impl Cut,
    skb: &mut SkBuff,
    layout: &Layout<'_, F>,
    bh: &Bh<'_>,
) -> Result<List<Segmented>> {
    let mut list = List::new();
    let mut start = cut.headers_len();
    let mut left = div_ceil(skb.len().saturating_sub(start), cut.mss());
    let size = layout.datagram_len(cut.headers_len().saturating_add(cut.mss()));
    let share = layout.share(left, size);
    let mut pages = layout.pages.lock(bh);
    while left != 0 {
        let count = left.min(share);
        let several = Builder::new(&mut pages, layout.headroom, size, count, bh)
            .and_then(|builder| several(cut, skb, start, builder, layout));
        let done = match several {
            Some(packet) => {
                list.push_back(packet);
                count
            }
            None => {
                list.push_back(single(cut, skb, start, layout, &mut pages, bh)?);
                1
            }
        };
        let bytes = cut.mss().checked_mul(done).ok_or(EINVAL)?;
        start = start.checked_add(bytes).ok_or(EINVAL)?;
        left = left.saturating_sub(done);
    }
    hand_over(skb, &mut list, size.saturating_add(layout.tailroom));
    Ok(list)
}

/// Makes a packet of all the segments that `builder` has room for, from `start` on.
#[inline]
fn several<F: Fn(usize) -> usize>(
    cut: &impl Cut,
    skb: &SkBuff,
    mut start: usize,
    mut builder: Builder<'_>,
    layout: &Layout<'_, F>,
) -> Option<Segmented> {
    for _ in 0..builder.left() {
        let len = segment_len(cut, skb, start)?;
        let datagram = layout.datagram_len(len);
        let slot = builder.slot(datagram)?;
        // SAFETY: The slot is so long.
        unsafe { slot.write_bytes(0, layout.header) };
        let to = slot.wrapping_add(layout.header);
        // SAFETY: As above.
        unsafe { write(cut, skb, start, to, len) }?;
        let trailer = datagram.checked_sub(layout.header)?.checked_sub(len)?;
        // SAFETY: As above.
        unsafe { to.wrapping_add(len).write_bytes(0, trailer) };
        start = start.checked_add(cut.mss())?;
    }
    // SAFETY: All slots were written as long as they are.
    Some(unsafe { builder.finish(skb) }?.into())
}

/// Makes a buffer of the segment that starts there.
fn single<F: Fn(usize) -> usize>(
    cut: &impl Cut,
    skb: &SkBuff,
    start: usize,
    layout: &Layout<'_, F>,
    pages: &mut PageRing,
    bh: &Bh<'_>,
) -> Result<Segmented> {
    let len = segment_len(cut, skb, start).ok_or(EINVAL)?;
    let room = len.checked_add(layout.tailroom).ok_or(EINVAL)?;
    let mut segment = SkBuff::alloc_piece(layout.headroom, room, pages, bh)?;
    let to = segment.c().data;
    // SAFETY: There is more room than that, which nobody else knows.
    unsafe { write(cut, skb, start, to, len) }.ok_or(EINVAL)?;
    // CAST: Less than the length of the packet.
    raw::set_len(segment.c_mut(), len as u32);
    raw::copy_fields(skb.c(), segment.c_mut());
    // CAST: Headers start within the first 64 kB, here as in C.
    let transport = segment.headroom().wrapping_add(cut.ip_len()) as u16;
    raw::headers_mut(segment.c_mut()).transport_header = transport;
    Segmented::try_from(segment).map_err(|_| EINVAL)
}

/// Returns the length of the segment that starts there, with its headers.
#[inline]
fn segment_len(cut: &impl Cut, skb: &SkBuff, start: usize) -> Option<usize> {
    let text = skb.len().checked_sub(start)?.min(cut.mss());
    cut.headers_len().checked_add(text)
}

/// Writes the segment of `len` bytes that starts there.
///
/// # Safety
///
/// `to` must be valid for writes of `len` bytes that nobody else knows.
#[inline]
unsafe fn write(cut: &impl Cut, skb: &SkBuff, start: usize, to: *mut u8, len: usize) -> Option<()> {
    let headers = skb.head().get(..cut.headers_len())?;
    // SAFETY: By the requirements, as the headers are a part of the segment.
    unsafe { to.copy_from_nonoverlapping(headers.as_ptr(), headers.len()) };
    // CAST: Parts of the packet's length, which C limits to 31 bits.
    let (from, n) = (start as c_int, len.checked_sub(headers.len())? as c_int);
    let to_text = to.wrapping_add(headers.len());
    // SAFETY: The packet is valid and so long, and so is the room.
    let text = unsafe { bindings::skb_copy_and_csum_bits(skb.as_raw(), from, to_text, n) };
    // SAFETY: All of the segment has just been written. Nobody else sees it.
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
    let offset = start.checked_sub(headers.len())?;
    cut.write_headers(bytes, offset, skb.len(), text)
}

#[kernel::macros::kunit_tests(kext_skb_segment)]
mod tests {
    use super::{
        super::{
            inet::{
                fold,
                sum, //
            },
            ip::IpVersion,
            tcp::{
                FIN,
                RST,
                SYN, //
            },
            Gso, //
        },
        *,
    };
    use crate::bindings::{
        SKB_GSO_DODGY,
        SKB_GSO_TCPV4,
        SKB_GSO_TCPV6,
        SKB_GSO_TCP_ECN,
        SKB_GSO_TCP_FIXEDID,
        SKB_GSO_UDP_L4, //
    };
    use crate::{
        context::Process,
        new_spinlock,
        sync::lock::SpinLock, //
    };

    const HEADROOM: usize = 64;
    const HEADER: usize = 16;
    const TRAILER: usize = 20;

    /// Returns the layout of datagrams in these tests.
    fn layout(pages: &SpinLock<PageRing>, may_gso: bool) -> Layout<'_, impl Fn(usize) -> usize> {
        Layout {
            headroom: 128,
            header: HEADER,
            trailer: |_| TRAILER,
            tailroom: 48,
            pages,
            may_gso,
        }
    }

    /// Makes a packet of TCP or UDP with this many bytes of text, for segments of `mss`.
    fn packet(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result<SkBuff> {
        let is_udp = kind & SKB_GSO_UDP_L4 != 0;
        // The one of TCP with options.
        let (protocol, header_len, check_at) = if is_udp { (17, 8, 6) } else { (6, 32, 16) };
        let ip_len = version.header_len();
        let behind = header_len + text;
        let len = ip_len + behind;
        let mut packet = SkBuff::alloc(HEADROOM, len)?
            .into_linear(HEADROOM, len)
            .map_err(|_| ENOMEM)?;
        let bytes = packet.put(len).ok_or(EINVAL)?;
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (i * 7 + i / 251) as u8;
        }
        let (ip, rest) = bytes.split_at_mut(ip_len);
        let behind_bytes = u16::try_from(behind).map_err(|_| EINVAL)?.to_be_bytes();
        let addresses = match version {
            IpVersion::V4 => {
                ip[0] = 0x45;
                // The identifications of the next ones overflow.
                ip[4..8].copy_from_slice(&[0xff, 0xfe, 0x40, 0]);
                ip[9] = protocol;
                12..20
            }
            IpVersion::V6 => {
                ip[..4].copy_from_slice(&[0x60, 0, 0, 0]);
                ip[4..6].copy_from_slice(&behind_bytes);
                ip[6] = protocol;
                8..40
            }
        };
        if is_udp {
            rest[4..6].copy_from_slice(&behind_bytes);
        } else {
            rest[4..8].copy_from_slice(&[0xff, 0xff, 0xff, 0x01]);
            rest[12] = 8 << 4;
            // CWR, ACK, PSH and FIN.
            rest[13] = 0x99;
        }
        // What is left to the device: the sum of what is not in the packet.
        let pseudo = u64::from((behind as u32).to_be()) + u64::from(u32::from(protocol).to_be());
        let check = fold(sum(&ip[addresses]) + pseudo).map(|byte| !byte);
        rest[check_at..check_at + 2].copy_from_slice(&check);
        let mut skb = packet.into_skb();
        raw::reset_link_headers(skb.c_mut());
        raw::set_udp_gso(skb.c_mut(), mss, 2);
        raw::set_gso(skb.c_mut(), kind as u32, 2);
        raw::set_partial_checksum(skb.c_mut(), (HEADROOM + ip_len) as u16, check_at as u16);
        skb.c_mut().__bindgen_anon_2.tstamp = 12345;
        let headers = raw::headers_mut(skb.c_mut());
        headers.protocol = version.protocol();
        headers.transport_header = (HEADROOM + ip_len) as u16;
        Ok(skb)
    }

    /// What the stack makes of the same packet.
    fn reference(skb: SkBuff) -> Result<List<Segmented>> {
        // SAFETY: It asks for no device.
        unsafe { skb.segment_in_c(null_mut()) }
    }

    /// Takes the next of the packets that the stack has made, whose bytes must be these.
    fn is_next(theirs: &mut List<Segmented>, bytes: &[u8]) -> Result {
        let theirs = theirs.pop_front().ok_or(EINVAL)?;
        assert!(theirs.as_skb().data_len() == 0);
        assert!(theirs.as_skb().head() == bytes);
        Ok(())
    }

    fn is_same(mut gso: Gso, theirs: &mut List<Segmented>) -> Result {
        let mut slots = gso.slots();
        while let Some(mut slot) = slots.next() {
            let (header, rest) = slot.datagram().split_at(HEADER);
            let (packet, trailer) = rest.split_at(rest.len() - TRAILER);
            assert!(header == [0; HEADER] && trailer == [0; TRAILER]);
            is_next(theirs, packet)?;
        }
        Ok(())
    }

    fn compare(version: IpVersion, kind: i32, text: usize, mss: u16) -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        let bh = process.bh();
        let segs = text.div_ceil(usize::from(mss));
        for may_gso in [false, true] {
            let mut ours = packet(version, kind, text, mss)?;
            let ours = ours
                .segment_here(&layout(&pages, may_gso), &bh)
                .ok_or(EINVAL)?;
            let mut ours = ours?;
            let mut theirs = reference(packet(version, kind, text, mss)?)?;
            assert!(ours.segs() == segs && theirs.len() == segs);
            // All that can be are one packet.
            assert!(!may_gso || ours.len() == 1 || segs > 64);
            assert!(may_gso || ours.len() == segs);
            while let Some(packet) = ours.pop_front() {
                // SAFETY: All members of the union are integers.
                assert!(unsafe { packet.as_skb().c().__bindgen_anon_2.tstamp } == 12345);
                assert!(raw::headers(packet.as_skb().c()).protocol == version.protocol());
                assert!(packet.as_skb().headroom() >= 128);
                match packet.into_gso() {
                    Ok(gso) => is_same(gso, &mut theirs)?,
                    Err(skb) => {
                        assert!(skb.data_len() == 0 && raw::tailroom(skb.c()) >= 48);
                        is_next(&mut theirs, skb.head())?;
                    }
                }
            }
            assert!(theirs.is_empty());
        }
        Ok(())
    }

    #[test]
    fn segments_are_those_that_the_stack_makes() -> Result {
        for (text, mss) in [
            (2, 1),
            (1001, 1000),
            (3000, 1000),
            (4001, 1333),
            (30_000, 1368),
            (60_000, 600),
        ] {
            compare(IpVersion::V4, SKB_GSO_TCPV4, text, mss)?;
            compare(IpVersion::V4, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, text, mss)?;
            compare(
                IpVersion::V4,
                SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID,
                text,
                mss,
            )?;
            compare(IpVersion::V6, SKB_GSO_TCPV6, text, mss)?;
            compare(IpVersion::V4, SKB_GSO_UDP_L4, text, mss)?;
            compare(IpVersion::V6, SKB_GSO_UDP_L4, text, mss)?;
        }
        Ok(())
    }

    #[test]
    fn unusual_ones_are_left_to_the_stack() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        let bh = process.bh();
        let is_left = |mut skb: SkBuff| skb.segment_here(&layout(&pages, false), &bh).is_none();
        for kind in [SKB_GSO_TCPV4 | SKB_GSO_DODGY, SKB_GSO_TCPV6] {
            assert!(is_left(packet(IpVersion::V4, kind, 3000, 1000)?));
        }
        assert!(is_left(packet(IpVersion::V4, SKB_GSO_TCPV4, 1000, 1000)?));
        for kind in [SKB_GSO_TCPV4, SKB_GSO_UDP_L4] {
            let usual = || packet(IpVersion::V4, kind, 3000, 1000);
            assert!(!is_left(usual()?));
            let mut with_options = usual()?.into_linear(0, 0).map_err(|_| ENOMEM)?;
            with_options.bytes_mut()[0] = 0x46;
            assert!(is_left(with_options.into_skb()));
            let mut tunnelled = usual()?;
            raw::headers_mut(tunnelled.c_mut()).set_encapsulation(1);
            assert!(is_left(tunnelled));
            let mut summed = usual()?;
            raw::headers_mut(summed.c_mut()).set_ip_summed(0);
            assert!(is_left(summed));
        }
        Ok(())
    }

    /// Whether a segment with this many bytes of text and these flags is a bare acknowledgement.
    fn is_bare(version: IpVersion, text: usize, flags: u8) -> Result<bool> {
        let mut skb = packet(version, 0, text, 1)?
            .into_linear(0, 0)
            .map_err(|_| ENOMEM)?;
        let bytes = skb.bytes_mut();
        let len = bytes.len() as u16;
        if version == IpVersion::V4 {
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
        }
        bytes[version.header_len() + 13] = flags;
        let mut skb = skb.into_skb();
        assert!(!skb.is_bare_ack());
        raw::shared_info_mut(skb.c_mut()).gso_size = 0;
        Ok(skb.is_bare_ack())
    }

    #[test]
    fn bare_acknowledgements_are_told_from_data() -> Result {
        for version in [IpVersion::V4, IpVersion::V6] {
            assert!(is_bare(version, 0, 0x10)?);
            // One with PSH, of which Linux makes none, acknowledges as well.
            assert!(is_bare(version, 0, 0x18)?);
            assert!(!is_bare(version, 1, 0x10)?);
            for ends in [FIN, SYN, RST] {
                assert!(!is_bare(version, 0, 0x10 | ends)?);
            }
            let mut udp = packet(version, SKB_GSO_UDP_L4, 0, 1)?;
            assert!(!udp.is_bare_ack());
            // A header that is not all there.
            udp = packet(version, 0, 0, 1)?;
            udp.trim(version.header_len() + 4)?;
            assert!(!udp.is_bare_ack());
        }
        Ok(())
    }
}
