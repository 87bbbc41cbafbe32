// SPDX-License-Identifier: GPL-2.0

//! New packets.

use super::{
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

    /// Allocates an empty packet, with so much room in front of and behind it, whose content is not known.
    ///
    /// Takes a piece of a page, and a descriptor that this CPU may have freed before: less work than memory from the
    /// slab, which many kernels clear.
    #[inline]
    pub(super) fn alloc_piece(headroom: usize, tailroom: usize, _: &Bh<'_>) -> Result<Self> {
        const ALIGN: usize = bindings::CONST_SMP_CACHE_BYTES;
        const fn aligned(n: usize) -> usize {
            n.wrapping_add(ALIGN - 1) & !(ALIGN - 1)
        }
        const OVERHEAD: usize = aligned(size_of::<kernel::bindings::skb_shared_info>());

        let size = headroom.saturating_add(tailroom);
        // The caches of pieces and descriptors belong to bottom halves. Instead of these interrupts may be off, even within
        // a bottom half that is at the caches.
        // SAFETY: No requirements.
        let irqs_off = unsafe { bindings::irqs_disabled() };
        if irqs_off || headroom > MAX_HEADROOM || size > MAX_PIECE {
            return Self::alloc(headroom, tailroom);
        }
        // CAST: Limited above.
        let size = aligned(size).wrapping_add(OVERHEAD) as u32;
        // SAFETY: Bottom halves are off, as the caller proves, and interrupts are not.
        let piece = unsafe { bindings::__napi_alloc_frag_align(size, !0) };
        if piece.is_null() {
            return Self::alloc(headroom, tailroom);
        }
        // SAFETY: The piece was allocated just now, so large; the rest as above.
        let skb = unsafe { bindings::napi_build_skb(piece, size) };
        let Some(ptr) = NonNull::new(skb) else {
            // SAFETY: As above; nobody else has it.
            unsafe { bindings::page_frag_free(piece) };
            // C wants to make several descriptors at once here, but only one there.
            return Self::alloc(headroom, tailroom);
        };
        // SAFETY: Made just now.
        let mut skb = unsafe { Self::from_raw(ptr) };
        // The buffer is empty, and this is at most its size.
        raw::reserve(skb.c_mut(), headroom);
        Ok(skb)
    }
}
