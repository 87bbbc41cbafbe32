// SPDX-License-Identifier: GPL-2.0

//! [`Gso`], several UDP datagrams as one packet.
//!
//! The shape is the one that a socket with `UDP_SEGMENT` makes (`__ip_append_data()` with pages
//! spliced in): headers in the linear part, the datagrams one after the other in page fragments,
//! `SKB_GSO_UDP_L4`, no `frag_list`, and one owner. Routing, filters and queues handle one packet.
//! A device or a receiving socket gets it whole, or after `__udp_gso_segment()` has cut it.
//!
//! ```text
//!   linear: headers yet to come, no data
//!   frags:  [ datagram | datagram | ... ] [ datagram | ... | last datagram ]
//! ```
//!
//! No datagram lies in two fragments, so the cipher can encrypt each in place.

use super::{
    owner::hand_over,
    pages::PageRing,
    raw,
    Buffer,
    Packet,
    Reason,
    SkBuff,
    SkbList, //
};
use crate::{
    bindings,
    context::Bh,
    sync::lock::SpinLock, //
};
use core::marker::PhantomData;

/// The most bytes of datagrams in one packet: with headers, the length has to fit 16 bits.
pub(in crate::net) const MAX_BYTES: usize = 65_000;

/// The most datagrams in one packet: half of what `UDP_MAX_SEGMENTS` allows, and as many as one
/// NAPI poll takes.
pub(in crate::net) const MAX_SEGS: usize = 64;

/// Bytes in front of a datagram to which [`GsoDatagram::bytes_mut`] gives access as well.
pub const LEAD: usize = 48;

/// Bytes behind a datagram to which [`GsoDatagram::bytes_mut`] gives access as well.
pub const TAIL: usize = 16;

/// Divides and rounds up. Returns 0 if `by` is 0.
#[inline]
pub(super) fn div_ceil(n: usize, by: usize) -> usize {
    n.saturating_add(by.saturating_sub(1))
        .checked_div(by)
        .unwrap_or(0)
}

/// How packets are laid out in the datagrams that carry them, and in which memory. All lengths are
/// in bytes.
pub struct Layout<'a, F: Fn(usize) -> usize> {
    /// The room for headers in front of a datagram.
    pub headroom: usize,
    /// The length of the part of a datagram that comes in front of the packet in it.
    pub header: usize,
    /// Returns the length of the part that comes behind a packet of the given length.
    pub trailer: F,
    /// The room behind a packet in a buffer of its own; at least the trailer's length.
    pub tailroom: usize,
    /// The pages that datagrams are written to.
    pub pages: &'a SpinLock<PageRing>,
    /// How long datagrams may be of which several become one GSO packet; 0: none do.
    pub gso_max: usize,
}

impl<F: Fn(usize) -> usize> Layout<'_, F> {
    /// Returns the length of the datagram that carries a packet of `len` bytes.
    #[inline]
    pub fn datagram_len(&self, len: usize) -> usize {
        self.header
            .saturating_add(len)
            .saturating_add((self.trailer)(len))
    }

    /// Returns how many of `count` datagrams of `len` bytes go into each packet: as few packets as
    /// possible, about equally full.
    pub fn segs_per_packet(&self, count: usize, len: usize) -> usize {
        if len > self.gso_max {
            return 1;
        }
        let most = MAX_BYTES.checked_div(len).unwrap_or(1).clamp(1, MAX_SEGS);
        div_ceil(count, div_ceil(count, most))
    }
}

/// One outgoing datagram, or several in a [`Gso`] packet; before encryption, what goes into them.
///
/// # Invariants
///
/// If it is a GSO packet, the invariants of [`Gso`] hold.
#[repr(transparent)]
pub struct Segmented(SkBuff);

// SAFETY: A transparent wrapper, whose invariant leaves control block and owner open. Nothing
// changes `gso_segs` of a packet on a list.
unsafe impl Packet for Segmented {
    #[inline]
    fn segs(&self) -> usize {
        if self.0.is_gso() {
            usize::from(raw::gso_segs(self.0.c()))
        } else {
            1
        }
    }
}

impl Segmented {
    /// Returns the packet for reading.
    #[inline]
    pub fn as_skb(&self) -> &SkBuff {
        &self.0
    }

    /// Returns the control block.
    #[inline]
    pub fn cb<C>(&self) -> &C
    where
        C: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + zerocopy::KnownLayout,
    {
        self.0.cb()
    }

    /// Returns the buffer.
    #[inline]
    pub(super) fn into_skb(self) -> SkBuff {
        self.0
    }

    /// See [`SkBuff::drop_dst`].
    #[inline]
    pub(super) fn drop_dst(&mut self) {
        self.0.drop_dst();
    }

    /// Splits a GSO packet into single datagrams, see [`Gso::into_singles`]. A single one stays as
    /// it is.
    pub fn into_singles(self, headroom: usize, pages: &mut PageRing, bh: &Bh<'_>) -> SkbList<Self> {
        match self.into_gso() {
            Ok(gso) => gso.into_singles(headroom, pages, bh),
            Err(skb) => {
                let mut list = SkbList::new();
                // INVARIANT: It is no GSO packet.
                list.push_back(Self(skb));
                list
            }
        }
    }

    /// Returns the GSO packet of several datagrams, or the single one as error.
    #[inline]
    pub fn into_gso(self) -> Result<Gso, SkBuff> {
        if self.0.is_gso() {
            // INVARIANT: By those of this type.
            Ok(Gso(self.0))
        } else {
            Err(self.0)
        }
    }
}

impl From<Gso> for Segmented {
    #[inline]
    fn from(gso: Gso) -> Self {
        // INVARIANT: By those of `Gso`.
        Self(gso.0)
    }
}

impl TryFrom<SkBuff> for Segmented {
    type Error = SkBuff;

    /// Fails for a GSO packet, and returns it.
    #[inline]
    fn try_from(skb: SkBuff) -> Result<Self, SkBuff> {
        if skb.is_gso() {
            return Err(skb);
        }
        // INVARIANT: This is no GSO packet. A clone elsewhere does not make it one: C unshares the
        // data (`skb_unclone()`) before it writes `gso_size`.
        Ok(Self(skb))
    }
}

/// Datagrams of one length in the fragments of one packet; the last one may be shorter.
///
/// # Invariants
///
/// * The buffer has no linear data, and is neither shared nor cloned.
/// * All fragments lie in initialised memory that has no other user. [`LEAD`] bytes in front of
///   them and [`TAIL`] bytes behind belong to that memory.
/// * `gso_size` is the length of the datagrams. It divides the length of each fragment but the
///   last.
pub struct Gso(SkBuff);

impl Gso {
    /// Wraps a packet.
    ///
    /// # Safety
    ///
    /// The invariants must hold for it.
    pub(super) unsafe fn new(skb: SkBuff) -> Self {
        Self(skb)
    }

    /// Returns the datagrams one after the other, for changes in place.
    #[inline]
    pub fn slots(&mut self) -> GsoDatagrams<'_> {
        GsoDatagrams {
            size: usize::from(raw::gso_size(self.0.c())),
            frag: 0,
            offset: 0,
            gso: self,
        }
    }

    /// Returns the control block for changes.
    #[inline]
    pub fn cb_mut<C>(&mut self) -> &mut C
    where
        C: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + zerocopy::KnownLayout,
    {
        self.0.cb_mut()
    }

    /// Returns the fields of the buffer, except its data, for changes.
    #[inline]
    pub(super) fn c_mut(&mut self) -> &mut bindings::sk_buff {
        self.0.c_mut()
    }

    /// See [`SkBuff::reset_for_encap`].
    pub fn reset_for_encap(&mut self, bh: &Bh<'_>) {
        self.0.reset_for_encap(bh);
    }

    /// Copies each datagram into a buffer of its own, with `headroom` bytes in front of it. Their
    /// socket counts these buffers instead of the packet. Datagrams for which there is no memory
    /// are missing; the packet then counts as dropped, for [`Reason::NOMEM`].
    ///
    /// The packet must have been prepared by [`Gso::reset_for_encap`].
    pub fn into_singles(
        mut self,
        headroom: usize,
        pages: &mut PageRing,
        bh: &Bh<'_>,
    ) -> SkbList<Segmented> {
        let mut singles = SkbList::new();
        let Self(head) = &self;
        let head = head.as_raw();
        let mut slots = self.slots();
        while let Some(mut slot) = slots.next() {
            let bytes = slot.datagram();
            let Ok(mut skb) = SkBuff::alloc_piece(headroom, bytes.len(), pages, bh) else {
                continue;
            };
            let to = skb.c().data;
            // SAFETY: The new buffer has that much room, and nothing else accesses it.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            // CAST: Less than the length of the packet.
            raw::set_len(skb.c_mut(), bytes.len() as u32);
            // SAFETY: The slots borrow the fragments' bytes, not the fields of the buffer.
            let from = unsafe { &*head };
            raw::copy_fields(from, skb.c_mut());
            skb.c_mut().cb = from.cb;
            skb.reset_for_encap(bh);
            singles.push_back(Segmented(skb));
        }
        hand_over(&mut self.0, &mut singles, 0);
        if singles.len() < usize::from(raw::gso_segs(self.0.c())) {
            self.drop(Reason::NOMEM);
        } else {
            self.consume();
        }
        singles
    }

    /// Returns the packet, and the number of its datagrams.
    pub(in crate::net) fn into_parts(self) -> (SkBuff, u16) {
        let segs = raw::gso_segs(self.0.c());
        (self.0, segs)
    }
}

/// See [`Gso::slots`].
pub struct GsoDatagrams<'a> {
    gso: &'a mut Gso,
    size: usize,
    frag: usize,
    /// The offset of the next datagram in the fragment.
    offset: usize,
}

impl GsoDatagrams<'_> {
    /// Returns the next datagram.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<GsoDatagram<'_>> {
        let mut frag = raw::frag(self.gso.0.c(), self.frag)?;
        if self.offset >= frag.len {
            self.frag = self.frag.wrapping_add(1);
            self.offset = 0;
            frag = raw::frag(self.gso.0.c(), self.frag)?;
        }
        let len = frag.len.saturating_sub(self.offset).min(self.size);
        if len == 0 {
            return None;
        }
        // SAFETY: The packet is not shared, and its fragments are in lowmem.
        let start = unsafe { raw::frag_address(self.gso.0.c(), self.frag) };
        let start = start.wrapping_add(self.offset).wrapping_sub(LEAD);
        self.offset = self.offset.saturating_add(len);
        Some(GsoDatagram {
            start,
            len,
            slots: PhantomData,
        })
    }
}

/// A datagram of a [`Gso`] packet.
///
/// # Invariants
///
/// From `start` on there are [`LEAD`], then `len`, then [`TAIL`] initialised bytes, which have no
/// other user for `'a`.
pub struct GsoDatagram<'a> {
    start: *mut u8,
    len: usize,
    slots: PhantomData<&'a mut u8>,
}

impl GsoDatagram<'_> {
    /// Returns the length of the datagram.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the datagram is empty. It never is.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the datagram with [`LEAD`] bytes in front and [`TAIL`] bytes behind it. These belong
    /// to the datagrams before and after it, if there are such.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len.wrapping_add(LEAD + TAIL);
        // SAFETY: By the type invariants.
        unsafe { core::slice::from_raw_parts_mut(self.start, len) }
    }

    /// Returns the datagram.
    #[inline]
    pub(super) fn datagram(&mut self) -> &[u8] {
        let start = self.start.wrapping_add(LEAD);
        // SAFETY: By the type invariants.
        unsafe { core::slice::from_raw_parts(start, self.len) }
    }
}

#[kernel::macros::kunit_tests(kext_skb_gso)]
mod tests {
    use super::{
        super::builder::Builder,
        *, //
    };
    use crate::context::Process;
    use kernel::prelude::*;

    /// Makes a packet of `count` datagrams of `size` bytes, the last one of `last`, each filled
    /// with its number.
    fn gso(size: usize, count: usize, last: usize, bh: &Bh<'_>) -> Option<Gso> {
        let mut ring = PageRing::new();
        let mut builder = Builder::new(&mut ring, 64, size, count, bh)?;
        for number in 0..count {
            let len = if number + 1 == count { last } else { size };
            let slot = builder.slot(len)?;
            // SAFETY: The slot has `len` bytes.
            unsafe { slot.write_bytes(number as u8, len) };
        }
        let from = SkBuff::alloc(0, 0).ok()?;
        // SAFETY: All slots were written.
        unsafe { builder.finish(&from) }
    }

    #[test]
    fn slots_are_the_datagrams() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        for (size, count, last) in [
            (1452, 44, 1452),
            (1452, 44, 100),
            (64, 64, 1),
            (30_000, 2, 7),
        ] {
            let mut gso = gso(size, count, last, &bh).ok_or(EINVAL)?;
            let mut seen = 0;
            let mut slots = gso.slots();
            while let Some(mut slot) = slots.next() {
                let is_last = seen + 1 == count;
                assert!(slot.len() == if is_last { last } else { size });
                assert!(slot.datagram().iter().all(|byte| *byte == seen as u8));
                assert!(slot.bytes_mut().len() == LEAD + slot.len() + TAIL);
                seen += 1;
            }
            assert!(seen == count);
            let (skb, segs) = gso.into_parts();
            assert!(usize::from(segs) == count);
            assert!(skb.is_gso() && skb.head_len() == 0 && skb.headroom() >= 64);
            assert!(skb.len() == size * (count - 1) + last);
            assert!(usize::from(raw::gso_size(skb.c())) == size);
            let frags = (0..).map_while(|n| raw::frag(skb.c(), n));
            let mut behind = 0;
            for frag in frags {
                // No datagram lies in two fragments.
                assert!(behind % size == 0);
                behind += frag.len;
            }
            assert!(behind == skb.len());
        }
        Ok(())
    }

    #[test]
    fn singles_have_the_same_bytes() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        let mut gso = gso(1000, 30, 10, &bh).ok_or(EINVAL)?;
        *gso.cb_mut() = 7u64;
        gso.reset_for_encap(&bh);
        let mut singles = gso.into_singles(64, &mut PageRing::new(), &bh);
        assert!(singles.len() == 30 && singles.segs() == 30);
        let mut number = 0;
        while let Some(single) = singles.pop_front() {
            let skb = single.into_gso().err().ok_or(EINVAL)?;
            assert!(skb.len() == if number == 29 { 10 } else { 1000 });
            assert!(skb.head().iter().all(|byte| *byte == number as u8));
            assert!(skb.headroom() >= 64);
            assert!(*skb.cb::<u64>() == 7);
            number += 1;
        }
        Ok(())
    }

    #[test]
    fn others_are_none() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        for (size, count, last) in [
            (100, 1, 100),
            (100, 65, 100),
            (0, 2, 0),
            (100, 3, 0),
            (100, 3, 101),
            (2000, 40, 1),
        ] {
            assert!(gso(size, count, last, &bh).is_none());
        }
        Ok(())
    }
}
