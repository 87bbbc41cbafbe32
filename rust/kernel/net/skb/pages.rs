// SPDX-License-Identifier: GPL-2.0

//! Page fragments for packets that are about to be sent.
//!
//! A [`PageRing`] hands out pieces of large pages. Once nobody else uses one of its pages, the ring
//! takes the page again without a way through the page allocator, which many kernels let clear it
//! byte by byte. `skb_page_frag_refill()` does the same for the pages of sockets, and so do drivers
//! of network cards for those that they receive into.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::bindings;
use crate::bindings::page;
use core::ptr::{
    null_mut,
    NonNull, //
};

/// As `SKB_FRAG_PAGE_ORDER`: 32 kB, or a page if that is more.
const ORDER: u32 = match ((32 << 10) / kernel::page::PAGE_SIZE).checked_ilog2() {
    Some(order) => order,
    None => 0,
};

/// Bytes of a large page.
const PAGE_LEN: usize = kernel::page::PAGE_SIZE << ORDER;

/// Large pages that a ring keeps: about what is on its way to a card or to a socket nearby.
const PAGES: usize = 16;

/// Alignment of pieces, so that two CPUs do not write to one cache line.
const ALIGN: usize = bindings::CONST_SMP_CACHE_BYTES;

/// Large pages that are handed out piece by piece, and again when all of their pieces are gone.
///
/// # Invariants
///
/// Each pointer is null or a page of order [`ORDER`] in lowmem, of which the ring has one
/// reference. Of the page at `next`, all bytes from `offset` on belong to no piece.
pub struct PageRing {
    pages: [*mut page; PAGES],
    next: usize,
    offset: usize,
}

// SAFETY: Pages are not tied to a CPU or task.
unsafe impl Send for PageRing {}

impl PageRing {
    /// Creates a ring without pages.
    pub const fn new() -> Self {
        Self {
            pages: [null_mut(); PAGES],
            next: 0,
            offset: PAGE_LEN,
        }
    }

    /// Takes a piece with room for at least one and at most `max` units of `unit` bytes, and for
    /// `fixed` bytes beside them. [`None`] if that is more than a page, or without memory.
    #[inline]
    pub(super) fn take(&mut self, fixed: usize, unit: usize, max: usize) -> Option<Piece> {
        let fits = |left: usize| {
            let units = left.checked_sub(fixed)?.checked_div(unit)?.min(max);
            (units != 0).then_some(units)
        };
        let mut units = fits(PAGE_LEN.saturating_sub(self.offset));
        if units.is_none() {
            units = fits(PAGE_LEN);
            if units.is_none() || !self.turn() {
                return None;
            }
        }
        let units = units?;
        let page = NonNull::new(*self.pages.get(self.next)?)?;
        let len = unit.checked_mul(units)?.checked_add(fixed)?;
        let offset = self.offset;
        // At most a page.
        self.offset = offset.wrapping_add(len).wrapping_add(ALIGN - 1) & !(ALIGN - 1);
        // SAFETY: By the type invariants.
        unsafe { bindings::get_page(page.as_ptr()) };
        // SAFETY: As above. Such a page has an address.
        let start = unsafe { bindings::page_address(page.as_ptr()) };
        // INVARIANT: The reference was taken just now. Nobody else has these bytes by those of the
        // ring, which goes on behind them.
        Some(Piece {
            start: NonNull::new(start.cast::<u8>().wrapping_add(offset))?,
            page,
            offset,
            units,
        })
    }

    /// Goes on to the next page of the ring, or to a new one if somebody still uses that.
    #[cold]
    fn turn(&mut self) -> bool {
        let next = self.next.wrapping_add(1).checked_rem(PAGES).unwrap_or(0);
        let Some(slot) = self.pages.get_mut(next) else {
            return false;
        };
        // A reference of the ring alone, as in `skb_page_frag_refill()`: all pieces were given
        // back.
        // SAFETY: By the type invariants.
        let is_unused = !slot.is_null() && unsafe { bindings::page_ref_count(*slot) } == 1;
        if !is_unused {
            let gfp = bindings::CONST_GFP_LARGE_PAGE;
            // SAFETY: No requirements.
            let new = unsafe { crate::bindings::alloc_pages(gfp, ORDER) };
            if new.is_null() {
                return false;
            }
            let old = core::mem::replace(slot, new);
            if !old.is_null() {
                // SAFETY: By the type invariants; the ring has it no more.
                unsafe { bindings::put_page(old) };
            }
        }
        // INVARIANT: Nobody has a piece of that page.
        (self.next, self.offset) = (next, 0);
        true
    }
}

impl Default for PageRing {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PageRing {
    fn drop(&mut self) {
        for page in self.pages {
            if !page.is_null() {
                // SAFETY: By the type invariants.
                unsafe { bindings::put_page(page) };
            }
        }
    }
}

/// A piece of a large page.
///
/// # Invariants
///
/// The value owns a reference of `page` and is the only user of the piece's bytes, of which the
/// first lies at `start`, `offset` bytes into the page.
pub(super) struct Piece {
    start: NonNull<u8>,
    page: NonNull<page>,
    offset: usize,
    units: usize,
}

impl Piece {
    /// Returns where the piece starts.
    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns for how many units there is room.
    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// Gives up the value; its reference of the page belongs to the caller, and so do the bytes.
    /// Returns the page, and where in it the piece starts.
    pub(super) fn into_parts(self) -> (*mut page, usize) {
        let this = core::mem::ManuallyDrop::new(self);
        (this.page.as_ptr(), this.offset)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::put_page(self.page.as_ptr()) };
    }
}

#[kernel::macros::kunit_tests(kext_skb_pages)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_overlap() {
        let mut ring = PageRing::new();
        let mut pieces = [const { None }; 64];
        for (i, piece) in pieces.iter_mut().enumerate() {
            *piece = ring.take(80, 1452, 7);
            if let Some(piece) = piece {
                assert!((1..=7).contains(&piece.units()));
                let len = 80 + piece.units() * 1452;
                // SAFETY: The piece has that many bytes.
                unsafe { piece.start().write_bytes(i as u8, len) };
            }
        }
        for (i, piece) in pieces.iter().enumerate() {
            let Some(piece) = piece else {
                assert!(false);
                continue;
            };
            let len = 80 + piece.units() * 1452;
            // SAFETY: As above, and they were written.
            let bytes = unsafe { core::slice::from_raw_parts(piece.start(), len) };
            assert!(bytes.iter().all(|byte| *byte == i as u8));
        }
    }

    #[test]
    fn there_is_no_more_than_a_page() {
        let mut ring = PageRing::new();
        assert!(ring.take(0, PAGE_LEN + 1, 1).is_none());
        assert!(ring.take(PAGE_LEN, 1, 1).is_none());
        assert!(ring.take(0, 0, 1).is_none());
        assert!(ring.take(0, usize::MAX, usize::MAX).is_none());
        assert!(ring
            .take(0, 1, usize::MAX)
            .is_some_and(|piece| piece.units() == PAGE_LEN));
        // The whole page is gone, although its only piece was given back.
        assert!(ring
            .take(0, PAGE_LEN, 1)
            .is_some_and(|piece| piece.units() == 1));
    }
}
