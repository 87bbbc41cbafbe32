// SPDX-License-Identifier: GPL-2.0

//! Names that the `kernel` crate of older kernel series lacks.
//!
//! The rest of this crate takes these names from here for all series. `Kbuild` sets one cfg for
//! each series that needs a replacement.

/// Error codes that older series do not declare.
pub mod code {
    /// Series from 7.3 on declare all of them.
    #[cfg(not(before_7_3))]
    macro_rules! codes {
        ($($name:ident,)*) => {
            pub use kernel::error::code::{$($name),*};
        };
    }

    #[cfg(before_7_3)]
    macro_rules! codes {
        ($($name:ident,)*) => {$(
            #[doc = stringify!($name)]
            // CAST: Error codes are small.
            pub const $name: kernel::error::Error = {
                const ERRNO: i32 = -(crate::bindings::$name as i32);
                // SAFETY: `Error` is a newtype around a `NonZeroI32`, and no error code is zero.
                unsafe { core::mem::transmute::<i32, kernel::error::Error>(ERRNO) }
            };
        )*};
    }

    codes! {
        EADDRINUSE,
        EAFNOSUPPORT,
        EBADR,
        EDESTADDRREQ,
        EHOSTUNREACH,
        EKEYREJECTED,
        ENOKEY,
        ENONET,
        EOPNOTSUPP,
        EPFNOSUPPORT,
        EPROTONOSUPPORT,
        ESHUTDOWN,
    }
}

#[cfg(not(before_7_3))]
pub(crate) use pin_init::raw_try_init;

/// Runs the initialiser `init` on the memory at `slot`.
///
/// # Safety
///
/// `slot` must be valid for writes of a `T`, and stay where it is when `Ok` is returned, until the
/// value is dropped. On `Err` it may be freed, but must not be dropped.
#[cfg(before_7_3)]
pub(crate) unsafe fn raw_try_init<T, E>(
    slot: *mut T,
    init: impl kernel::prelude::PinInit<T, E>,
) -> Result<(), E> {
    // SAFETY: By the requirements.
    unsafe { init.__pinned_init(slot) }
}

#[cfg(not(before_7_3))]
pub use kernel::num::casts;

#[cfg(before_7_3)]
pub mod casts;
