// SPDX-License-Identifier: GPL-2.0

//! Values on cache lines of their own.
//!
//! C header: [`include/linux/cache.h`](srctree/include/linux/cache.h)

use core::ops::Deref;
use kernel::prelude::*;

/// A value that shares no cache line with its neighbours, as with `____cacheline_aligned_in_smp`.
///
/// For a value that one CPU writes often while other CPUs read the neighbours.
#[repr(align(64))]
#[pin_data]
pub struct CacheAligned<T> {
    #[pin]
    value: T,
}

impl<T> CacheAligned<T> {
    /// Creates the value in place.
    pub fn new(value: impl PinInit<T>) -> impl PinInit<Self> {
        pin_init!(Self {
            value <- value,
        })
    }
}

impl<T> Deref for CacheAligned<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}
