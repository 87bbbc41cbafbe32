// SPDX-License-Identifier: GPL-2.0

//! A value on lines of its own.

use pin_init::{raw_try_init, PinInit};
use std::ops::Deref;

/// Such a value.
pub struct CacheAligned<T>(T);

impl<T> CacheAligned<T> {
    /// Makes it.
    pub fn new(init: impl PinInit<T>) -> impl PinInit<Self> {
        // SAFETY: The slot is filled, or the error returned.
        unsafe { pin_init::init_fn(move |slot: *mut Self| raw_try_init(&raw mut (*slot).0, init)) }
    }
}

impl<T> Deref for CacheAligned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
