// SPDX-License-Identifier: GPL-2.0

//! New packets.

use super::{
    pages::PageRing,
    raw,
    SkBuff,
    MAX_HEADROOM,
    MAX_TAILROOM, //
};
use crate::{
    bindings,
    context::Bh, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// The most room in a piece of a page.
const MAX_PIECE: usize = 3 << 10;

impl SkBuff {
    /// Allocates an empty packet, with so much room in front of and behind it.
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
        // The room can become visible: headers may be anywhere in it.
        // SAFETY: The buffer has at least this size.
        unsafe { skb.c_mut().head.write_bytes(0, size) };
        // The buffer is empty, and this is at most its size.
        raw::reserve(skb.c_mut(), headroom);
        Ok(skb)
    }

    /// Allocates an empty packet, with so much room in front of and behind it, whose content is not
    /// known.
    ///
    /// Takes a piece of a large page, and a descriptor that this CPU may have freed before: less
    /// work than memory from the slab, which many kernels clear. The data can become a fragment of
    /// another packet.
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
        // The cache of descriptors belongs to bottom halves. Instead of these interrupts may be
        // off, even within a bottom half that is at the cache.
        // SAFETY: No requirements.
        let irqs_off = unsafe { bindings::irqs_disabled() };
        if irqs_off || headroom > MAX_HEADROOM || size > MAX_PIECE {
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
            // C wants to make several descriptors at once here, but only one there.
            return Self::alloc(headroom, tailroom);
        };
        // The reference of the page goes over to the buffer.
        let _ = piece.into_parts();
        // SAFETY: Made just now.
        let mut skb = unsafe { Self::from_raw(ptr) };
        // The buffer is empty, and this is at most its size.
        raw::reserve(skb.c_mut(), headroom);
        Ok(skb)
    }
}
