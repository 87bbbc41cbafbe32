// SPDX-License-Identifier: GPL-2.0

//! [`Builder`], which makes a [`Gso`] packet.

use super::{
    gso::{
        Gso,
        LEAD,
        MAX_BYTES,
        MAX_SEGS,
        TAIL, //
    },
    pages::{
        PageRing,
        Piece, //
    },
    raw,
    reason::Draft,
    SkBuff, //
};
use crate::bindings::MAX_SKB_FRAGS;
use crate::{
    bindings,
    context::Bh, //
};
use kernel::{
    ffi::c_int, //
};

/// A [`Gso`] packet whose datagrams are still to be written.
pub(super) struct Builder<'r> {
    ring: &'r mut PageRing,
    head: Draft,
    /// The length of each datagram in bytes; the last one may be shorter.
    size: usize,
    /// The number of datagrams for which no slot has been taken yet.
    left: usize,
    segs: u16,
    /// The piece of a page that the next datagrams go to, and the number of bytes that are taken of
    /// it.
    piece: Option<Piece>,
    used: usize,
    frags: usize,
    truesize: u32,
}

impl<'r> Builder<'r> {
    /// Begins a packet of `count` datagrams of `size` bytes, with `headroom` bytes for the headers
    /// of the packet. [`None`] without memory, or if there would be too many bytes or datagrams, or
    /// only one.
    pub(super) fn new(
        ring: &'r mut PageRing,
        headroom: usize,
        size: usize,
        count: usize,
        bh: &Bh<'_>,
    ) -> Option<Self> {
        if !(2..=MAX_SEGS).contains(&count) || size.checked_mul(count)? > MAX_BYTES || size == 0 {
            return None;
        }
        Some(Self {
            head: Draft::new(SkBuff::alloc_piece(headroom, 0, ring, bh).ok()?),
            ring,
            size,
            left: count,
            // CAST: Limited above.
            segs: count as u16,
            piece: None,
            used: 0,
            frags: 0,
            truesize: 0,
        })
    }

    /// Returns the number of datagrams for which no slot has been taken yet.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Returns the slot of the next datagram: `len` bytes, all of which the caller has to write.
    /// Only the last datagram may be shorter than `size`, and none may be empty. [`None`] for other
    /// lengths, without memory, or if all slots have been taken.
    pub(super) fn slot(&mut self, len: usize) -> Option<*mut u8> {
        self.left = self.left.checked_sub(1)?;
        if len > self.size || len < self.size && self.left != 0 || len == 0 {
            return None;
        }
        let is_full = self.piece.as_ref().is_none_or(|piece| {
            self.used.saturating_add(self.size) > piece.units().saturating_mul(self.size)
        });
        if is_full {
            self.close_piece();
            if self.frags >= MAX_SKB_FRAGS as usize {
                return None;
            }
            let max = self.left.wrapping_add(1);
            let piece = self.ring.take(LEAD + TAIL, self.size, max)?;
            // SAFETY: The piece begins with `LEAD` bytes beside the datagrams.
            unsafe { piece.start().write_bytes(0, LEAD) };
            self.piece = Some(piece);
        }
        let piece = self.piece.as_ref()?;
        let slot = piece.start().wrapping_add(LEAD).wrapping_add(self.used);
        self.used = self.used.wrapping_add(len);
        // SAFETY: `TAIL` bytes follow even the last datagram of a piece.
        unsafe { slot.wrapping_add(len).write_bytes(0, TAIL) };
        Some(slot)
    }

    /// Adds the current piece to the packet as a page fragment.
    fn close_piece(&mut self) {
        let Some(piece) = self.piece.take() else {
            return;
        };
        let len = piece.units().saturating_mul(self.size);
        // CAST: A piece is a part of a page.
        self.truesize = self
            .truesize
            .wrapping_add(len.wrapping_add(LEAD + TAIL) as u32);
        let (page, offset) = piece.into_parts();
        // CAST: As above, and there are at most `MAX_SKB_FRAGS` fragments.
        // SAFETY: The buffer is ours alone and has room for one more fragment. It takes over the
        // reference of the page.
        unsafe {
            bindings::skb_fill_page_desc(
                self.head.as_raw(),
                self.frags as c_int,
                page,
                offset.wrapping_add(LEAD) as c_int,
                self.used as c_int,
            )
        };
        self.frags = self.frags.wrapping_add(1);
        let head = self.head.c_mut();
        // CAST: As above.
        head.len = head.len.wrapping_add(self.used as u32);
        // CAST: As above.
        head.data_len = head.data_len.wrapping_add(self.used as u32);
        self.used = 0;
    }

    /// Returns the packet, with the header fields and the time stamp of `from`. [`None`] if slots
    /// were not taken.
    ///
    /// # Safety
    ///
    /// All bytes of all datagrams must have been written.
    pub(super) unsafe fn finish(mut self, from: &SkBuff) -> Option<Gso> {
        if self.left != 0 {
            return None;
        }
        self.close_piece();
        let head = self.head.c_mut();
        head.truesize = head.truesize.wrapping_add(self.truesize);
        raw::copy_fields(from.c(), head);
        // CAST: Limited by `new`.
        raw::set_udp_gso(head, self.size as u16, self.segs);
        // SAFETY: Pieces have no other user. The caller has written the datagrams, and `slot` the
        // rest.
        Some(unsafe { Gso::new(self.head.into_skb()) })
    }
}
