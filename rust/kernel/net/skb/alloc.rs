// SPDX-License-Identifier: GPL-2.0

//! Allocation of packets.

use super::{
    pages::PageRing,
    raw,
    SkBuff,
    MAX_HEADROOM,
    MAX_TAILROOM, //
};
use crate::{
    bindings,
    context::{
        irqs_disabled,
        Bh, //
    }, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// The most bytes in front of and behind a packet for which its data comes from a [`PageRing`].
const MAX_PIECE: usize = 3 << 10;

impl SkBuff {
    /// Allocates an empty packet with at least `headroom` bytes in front of its data and `tailroom`
    /// bytes behind. Does not sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that much room is never provided, `ENOMEM`.
    pub fn alloc(headroom: usize, tailroom: usize) -> Result<Self> {
        if headroom > MAX_HEADROOM || tailroom > MAX_TAILROOM {
            return Err(EINVAL);
        }
        let size = headroom.wrapping_add(tailroom);
        // CAST: Both were limited above.
        // SAFETY: No requirements.
        let skb = unsafe { bindings::alloc_skb(size as u32, bindings::CONST_GFP_ATOMIC) };
        let ptr = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: Allocated just now.
        let mut skb = unsafe { Self::from_raw(ptr) };
        // `SkBuff::header` reads at any offset that a header's field has, so the room must be
        // initialised.
        // SAFETY: The buffer has at least this size.
        unsafe { skb.c_mut().head.write_bytes(0, size) };
        // The buffer is empty and has this much room.
        raw::reserve(skb.c_mut(), headroom);
        Ok(skb)
    }

    /// Allocates an empty packet as [`SkBuff::alloc`] does, but with uninitialised room.
    ///
    /// The data lies in a piece of a large page, and the `sk_buff` comes from this CPU's NAPI cache
    /// of freed ones. That is less work than memory from the slab, which many kernels clear. The
    /// data can become a page fragment of another packet.
    #[inline]
    pub(super) fn alloc_piece(
        headroom: usize,
        tailroom: usize,
        pages: &mut PageRing,
        _: &Bh<'_>,
    ) -> Result<Self> {
        const ALIGN: usize = bindings::CONST_SMP_CACHE_BYTES;
        const fn aligned(n: usize) -> usize {
            n.wrapping_add(ALIGN - 1) & !(ALIGN - 1)
        }
        const OVERHEAD: usize = aligned(size_of::<crate::bindings::skb_shared_info>());

        let size = headroom.saturating_add(tailroom);
        // This CPU's NAPI cache may be used with bottom halves off only. A [`Bh`] may stand for
        // interrupts off instead, and such an interrupt may have hit a bottom half that is changing
        // the cache.
        if irqs_disabled() || headroom > MAX_HEADROOM || size > MAX_PIECE {
            return Self::alloc(headroom, tailroom);
        }
        let size = aligned(size).wrapping_add(OVERHEAD);
        let Some(piece) = pages.take(0, size, 1) else {
            return Self::alloc(headroom, tailroom);
        };
        // CAST: Limited above.
        // SAFETY: The piece has this size and belongs to a compound page, as `build_skb()` wants
        // it. Bottom halves are off, as the caller proves, and interrupts are not.
        let skb = unsafe { bindings::napi_build_skb(piece.start().cast(), size as u32) };
        let Some(ptr) = NonNull::new(skb) else {
            // C refills an empty cache with several `sk_buff`s at once, and memory may suffice for
            // one.
            return Self::alloc(headroom, tailroom);
        };
        // The buffer takes over the reference of the page.
        let _ = piece.into_parts();
        // SAFETY: Made just now.
        let mut skb = unsafe { Self::from_raw(ptr) };
        // The buffer is empty and has this much room.
        raw::reserve(skb.c_mut(), headroom);
        Ok(skb)
    }
}
