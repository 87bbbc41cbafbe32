// SPDX-License-Identifier: GPL-2.0

//! Segmentation of GSO packets whose segments are to be carried in datagrams.
//!
//! `skb_segment()` can cut any packet. But for each segment it takes a buffer with a power of two
//! of bytes from the slab, which many kernels clear, and it copies fields that encapsulation resets
//! anyway. This module cuts plain TCP and UDP over IP: it copies each segment once, with its
//! checksum, to its place in a [`Gso`](super::Gso) packet or in a buffer of its own. The segments
//! are the same bytes.
//!
//! C sources: `net/core/skbuff.c`, `net/ipv4/tcp_offload.c`, `net/ipv4/udp_offload.c`

mod tests;

use super::{
    builder::Builder,
    gso::{
        div_ceil,
        Layout,
        Segmented, //
    },
    inet::Inet,
    linear::{
        copy_headers,
        write_zeroes, //
    },
    owner::hand_over,
    pages::PageRing,
    raw,
    reason::Draft,
    tcp::Tcp,
    udp::Udp,
    Buffer,
    Operations,
    Reason,
    Running,
    SkBuff,
    SkbList, //
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

/// How packets of a transport protocol are cut. Lengths are in bytes.
pub(super) trait Cut {
    /// Returns what the segments have in common.
    fn inet(&self) -> &Inet;

    /// Returns the length of the IP header.
    #[inline]
    fn ip_len(&self) -> usize {
        self.inet().ip_len
    }

    /// Returns the length of the headers that each segment gets: IP and transport.
    #[inline]
    fn headers_len(&self) -> usize {
        self.inet().headers_len
    }

    /// Returns the most bytes of payload in a segment.
    #[inline]
    fn mss(&self) -> usize {
        self.inet().mss
    }

    /// Writes the header fields in which segments differ. `bytes` is a segment with the headers of
    /// the packet, and its payload starts `offset` bytes into that of the packet, which has
    /// `packet_len` bytes with its headers. `text` is the sum of the segment's payload.
    fn write_headers(
        &self,
        bytes: &mut [u8],
        offset: usize,
        packet_len: usize,
        text: u32,
    ) -> Option<()>;
}

impl SkBuff {
    /// Segments a GSO packet, with the room around each segment that `layout` asks for.
    ///
    /// The result may be [`Gso`](super::Gso) packets of several datagrams. A packet that is not GSO
    /// is the only one of the list. Drops the destination. `dev` is the device that sends the
    /// packet.
    ///
    /// # Errors
    ///
    /// The error that C returns for a packet that it cannot cut, or `ENOMEM`. The packet is dropped
    /// then, for [`Reason::SKB_GSO_SEG`].
    pub fn segment<T: Operations, F: Fn(usize) -> usize>(
        self,
        dev: Running<'_, T>,
        layout: &Layout<'_, F>,
        bh: &Bh<'_>,
    ) -> Result<SkbList<Segmented>> {
        let mut packet = match Segmented::try_from(self) {
            Ok(mut packet) => {
                packet.drop_dst();
                let mut list = SkbList::new();
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
            Some(Err(e)) => {
                packet.drop(Reason::SKB_GSO_SEG);
                Err(e)
            }
            // SAFETY: The device exists as long as `dev`. C reads it for packets of tunnels.
            None => unsafe { packet.segment_in_c(dev.as_raw()) },
        }
    }

    /// Segments plain TCP and UDP. [`None`] for a packet that C has to segment.
    fn segment_here<F: Fn(usize) -> usize>(
        &mut self,
        layout: &Layout<'_, F>,
        bh: &Bh<'_>,
    ) -> Option<Result<SkbList<Segmented>>> {
        if let Some(tcp) = Tcp::of(self) {
            return Some(split(&tcp, self, layout, bh));
        }
        let udp = Udp::of(self)?;
        Some(split(&udp, self, layout, bh))
    }

    /// Segments a packet by `__skb_gso_segment()`, and frees it.
    ///
    /// # Safety
    ///
    /// `dev` must be null or valid for the call.
    pub(super) unsafe fn segment_in_c(
        mut self,
        dev: *mut bindings::net_device,
    ) -> Result<SkbList<Segmented>> {
        raw::set_dev(self.c_mut(), dev);
        // Each segment would take a reference of the destination, which is not needed any more.
        let destination = raw::replace_refdst(self.c_mut(), 0);
        // SAFETY: The buffer is not shared. Without features, C does everything in software.
        let first = unsafe { bindings::__skb_gso_segment(self.as_raw(), 0, true) };
        // INVARIANT: The device is cleared again, and the destination is the one of before. The
        // segments are detached below.
        raw::set_dev(self.c_mut(), null_mut());
        raw::replace_refdst(self.c_mut(), destination);
        // On failure C may have cut off parts of the packet already, so it is not returned.
        let first = kernel::error::from_err_ptr(first).and_then(|first| match first.is_null() {
            true => Err(EINVAL),
            false => Ok(first),
        });
        let mut next = match first {
            Ok(first) => first,
            Err(e) => {
                self.drop(Reason::SKB_GSO_SEG);
                return Err(e);
            }
        };
        // If this buffer is one of the segments, C has taken a further reference of it.
        self.consume();
        let mut list = SkbList::new();
        while !next.is_null() {
            let skb = next;
            // SAFETY: A segment is a valid buffer, which is ours.
            next = raw::take_next(unsafe { &mut *skb });
            // SAFETY: As above; it has just been taken off the list.
            let segment = unsafe { SkBuff::from_shared(skb) };
            match segment.map(Segmented::try_from) {
                Some(Ok(mut segment)) => {
                    segment.drop_dst();
                    list.push_back(segment);
                }
                Some(Err(segment)) => segment.drop(Reason::SKB_GSO_SEG),
                None => {}
            }
        }
        Ok(list)
    }
}

/// Makes the segments of a packet that `cut` has accepted. They take over its socket. On failure
/// the packet and its socket's count are unchanged.
pub(super) fn split<F: Fn(usize) -> usize>(
    cut: &impl Cut,
    skb: &mut SkBuff,
    layout: &Layout<'_, F>,
    bh: &Bh<'_>,
) -> Result<SkbList<Segmented>> {
    let mut list = SkbList::new();
    let mut start = cut.headers_len();
    let mut left = div_ceil(skb.len().saturating_sub(start), cut.mss());
    let size = layout.datagram_len(cut.headers_len().saturating_add(cut.mss()));
    let most = layout.segs_per_packet(left, size);
    let mut pages = layout.pages.lock(bh);
    while left != 0 {
        let count = left.min(most);
        let several = Builder::new(&mut pages, layout.headroom, size, count, bh)
            .and_then(|builder| several(cut, skb, start, builder, layout));
        let done = match several {
            Some(packet) => {
                list.push_back(packet);
                count
            }
            None => {
                let segment = single(cut, skb, start, layout, &mut pages, bh);
                match segment {
                    Ok(segment) => list.push_back(segment),
                    Err(e) => {
                        // These segments are copies, and the caller drops the packet itself.
                        list.consume();
                        return Err(e);
                    }
                }
                1
            }
        };
        // Both are bounded by the length of the packet.
        start = start.saturating_add(cut.mss().saturating_mul(done));
        left = left.saturating_sub(done);
    }
    hand_over(skb, &mut list, size.saturating_add(layout.tailroom));
    Ok(list)
}

/// Makes a [`Gso`](super::Gso) packet of as many segments as `builder` has slots, from `start` on.
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
        // SAFETY: The slot has `datagram` bytes: the header, the segment and the trailer.
        unsafe { write_zeroes(slot, layout.header) };
        let to = slot.wrapping_add(layout.header);
        // SAFETY: As above.
        unsafe { write(cut, skb, start, to, len) }?;
        let trailer = datagram.checked_sub(layout.header)?.checked_sub(len)?;
        // SAFETY: As above.
        unsafe { write_zeroes(to.wrapping_add(len), trailer) };
        start = start.checked_add(cut.mss())?;
    }
    // SAFETY: Each slot was written in full.
    Some(unsafe { builder.finish(skb) }?.into())
}

/// Makes a buffer of the segment whose payload starts at `start` of the packet.
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
    let mut segment = Draft::new(SkBuff::alloc_piece(layout.headroom, room, pages, bh)?);
    let to = segment.c().data;
    // SAFETY: The buffer has `room` bytes, which is at least `len`, and nothing else accesses it.
    unsafe { write(cut, skb, start, to, len) }.ok_or(EINVAL)?;
    // CAST: Less than the length of the packet.
    raw::set_len(segment.c_mut(), len as u32);
    raw::copy_fields(skb.c(), segment.c_mut());
    // CAST: The headroom has 16 bits: see `SkBuff::pull`.
    let transport = segment.headroom().wrapping_add(cut.ip_len()) as u16;
    raw::headers_mut(segment.c_mut()).transport_header = transport;
    Segmented::try_from(segment.into_skb()).map_err(|segment| {
        segment.consume();
        EINVAL
    })
}

/// Returns the length of the segment whose payload starts at `start` of the packet, with its
/// headers.
#[inline]
fn segment_len(cut: &impl Cut, skb: &SkBuff, start: usize) -> Option<usize> {
    let text = skb.len().checked_sub(start)?.min(cut.mss());
    cut.headers_len().checked_add(text)
}

/// Writes the segment of `len` bytes whose payload starts at `start` of the packet.
///
/// # Safety
///
/// `to` must be valid for writes of `len` bytes, and nothing else may access them.
#[inline]
unsafe fn write(cut: &impl Cut, skb: &SkBuff, start: usize, to: *mut u8, len: usize) -> Option<()> {
    let headers = skb.head().get(..cut.headers_len())?;
    // SAFETY: By the requirements, as the headers are a part of the segment.
    unsafe { copy_headers(headers.as_ptr(), to, headers.len()) };
    // CAST: Parts of the packet's length, which C limits to 31 bits.
    let (from, n) = (start as c_int, len.checked_sub(headers.len())? as c_int);
    let to_text = to.wrapping_add(headers.len());
    // SAFETY: The packet is valid and has these bytes, and `to` has room for them behind the
    // headers.
    let text = unsafe { bindings::skb_copy_and_csum_bits(skb.as_raw(), from, to_text, n) };
    // SAFETY: All of the segment has just been written, and nothing else accesses it.
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
    let offset = start.checked_sub(headers.len())?;
    cut.write_headers(bytes, offset, skb.len(), text)
}
