// SPDX-License-Identifier: GPL-2.0

//! Stands in for `net::netns` until that has landed.

use kernel::{bindings, types::Opaque};

/// A network namespace.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

impl Net {
    /// # Safety
    ///
    /// `ptr` must be valid for `'a`.
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: By the requirements of this function; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }
}
