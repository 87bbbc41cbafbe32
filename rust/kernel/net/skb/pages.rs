// SPDX-License-Identifier: GPL-2.0

//! [`PageRing`], page fragments for packets that are about to be sent.
//!
//! A [`PageRing`] hands out pieces of large pages. When no piece of a page is in use any more, the
//! ring hands out the page again. It need not call the page allocator, which many kernels make
//! clear each page. `skb_page_frag_refill()` does the same for the pages of sockets, and drivers of
//! network cards for those that they receive into.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::bindings;
use crate::bindings::page;
use core::ptr::{
    null_mut,
    NonNull, //
};

/// The order of a large page, as `SKB_FRAG_PAGE_ORDER`: 32 kB, or a page if that is more.
const ORDER: u32 = match ((32 << 10) / kernel::page::PAGE_SIZE).checked_ilog2() {
    Some(order) => order,
    None => 0,
};

/// The length of a large page in bytes.
const PAGE_LEN: usize = kernel::page::PAGE_SIZE << ORDER;

/// The number of large pages in a ring: about as many as hold packets that are on their way to a
/// network card or to a socket of this machine.
const PAGES: usize = 16;

/// The alignment of pieces, so that two CPUs do not write to one cache line.
const ALIGN: usize = bindings::CONST_SMP_CACHE_BYTES;

/// A ring of large pages that are handed out in pieces, and again when all of their pieces have
/// been released.
///
/// # Invariants
///
/// Each pointer is null or a page of order [`ORDER`] in lowmem, of which the ring has one
/// reference. In the page at `next`, no piece contains bytes from `offset` on.
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
    /// `fixed` further bytes. [`None`] if one unit does not fit a page, or without memory.
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
        // At most `PAGE_LEN`.
        self.offset = offset.wrapping_add(len).wrapping_add(ALIGN - 1) & !(ALIGN - 1);
        // SAFETY: By the type invariants.
        unsafe { bindings::get_page(page.as_ptr()) };
        // SAFETY: As above. A page in lowmem has an address.
        let start = unsafe { bindings::page_address(page.as_ptr()) };
        // INVARIANT: The reference was taken just now. By the invariants of the ring no other piece
        // contains these bytes, and its `offset` is behind them now.
        Some(Piece {
            start: NonNull::new(start.cast::<u8>().wrapping_add(offset))?,
            page,
            offset,
            units,
        })
    }

    /// Goes on to the next page of the ring, or replaces that by a new page if pieces of it are in
    /// use. Returns whether there is a page.
    #[cold]
    fn turn(&mut self) -> bool {
        let next = self.next.wrapping_add(1).checked_rem(PAGES).unwrap_or(0);
        let Some(slot) = self.pages.get_mut(next) else {
            return false;
        };
        // If the ring has the only reference, all pieces have been released, and no other CPU can
        // take one: as in `skb_page_frag_refill()`.
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
                // SAFETY: By the type invariants the ring had a reference, and it has removed the
                // page.
                unsafe { bindings::put_page(old) };
            }
        }
        // INVARIANT: There is no piece of that page.
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
    /// Returns the address of the piece.
    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns the number of units that the piece has room for.
    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// Returns the page, and the offset of the piece in it. The caller owns the reference of the
    /// page and the bytes of the piece then.
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
        // All of the page has been handed out, although its only piece has been released: the ring
        // goes on to another page.
        assert!(ring
            .take(0, PAGE_LEN, 1)
            .is_some_and(|piece| piece.units() == 1));
    }
}
