// SPDX-License-Identifier: GPL-2.0

//! What the files under test use of the kernel's crate `pin-init`.

use std::{convert::Infallible, marker::PhantomData};

pub use model_macros::pin_data;

/// Makes a value in place.
///
/// # Safety
///
/// After [`Ok`] the slot must hold a value.
pub unsafe trait PinInit<T, E = Infallible> {
    /// Makes the value in `slot`.
    ///
    /// # Safety
    ///
    /// `slot` must be valid for writes.
    unsafe fn init(self, slot: *mut T) -> Result<(), E>;
}

// SAFETY: Writes the value.
unsafe impl<T> PinInit<T> for T {
    unsafe fn init(self, slot: *mut T) -> Result<(), Infallible> {
        // SAFETY: By the requirements.
        unsafe { slot.write(self) };
        Ok(())
    }
}

/// A function that makes a value in place.
pub struct InitFn<F, T, E>(F, PhantomData<fn(T) -> E>);

// SAFETY: By the requirements of `init_fn`.
unsafe impl<T, E, F: FnOnce(*mut T) -> Result<(), E>> PinInit<T, E> for InitFn<F, T, E> {
    unsafe fn init(self, slot: *mut T) -> Result<(), E> {
        (self.0)(slot)
    }
}

/// For the macros.
///
/// # Safety
///
/// The function must fill the slot when it returns [`Ok`].
pub unsafe fn init_fn<T, E, F: FnOnce(*mut T) -> Result<(), E>>(f: F) -> InitFn<F, T, E> {
    InitFn(f, PhantomData)
}

/// Makes a value in place.
///
/// # Safety
///
/// `slot` must be valid for writes.
pub unsafe fn raw_try_init<T, E>(slot: *mut T, init: impl PinInit<T, E>) -> Result<(), E> {
    // SAFETY: By the requirements.
    unsafe { init.init(slot) }
}

/// Makes a structure field by field, each `field <- initialiser`, `field: value` or `field`.
#[macro_export]
macro_rules! pin_init {
    ($name:ident { $($body:tt)* }) => {
        // SAFETY: All fields are written, or the structure would not be whole (the check is the
        // compiler's when the file is built for the kernel).
        unsafe {
            $crate::init_fn::<$name, ::std::convert::Infallible, _>(move |slot: *mut $name| {
                $crate::__fields!(slot, $($body)*);
                Ok(())
            })
        }
    };
}

/// The same, with initialisers and values that may fail.
#[macro_export]
macro_rules! try_pin_init {
    ($name:ident { $($body:tt)* } ? $error:ty) => {
        // SAFETY: As above.
        unsafe {
            $crate::init_fn::<$name, $error, _>(move |slot: *mut $name| {
                $crate::__fields!(slot, $($body)*);
                Ok(())
            })
        }
    };
    ($name:ident { $($body:tt)* }) => {
        $crate::try_pin_init!($name { $($body)* } ? ::kernel::error::Error)
    };
}

/// Writes fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    ($slot:ident $(,)?) => {};
    ($slot:ident, #[$attribute:meta] $field:ident $(, $($rest:tt)*)?) => {
        #[$attribute]
        {
            $crate::__fields!($slot, $field);
        }
        $crate::__fields!($slot, $($($rest)*)?);
    };
    ($slot:ident, $field:ident <- $init:expr $(, $($rest:tt)*)?) => {
        $crate::raw_try_init(&raw mut (*$slot).$field, $init)?;
        $crate::__fields!($slot, $($($rest)*)?);
    };
    ($slot:ident, $field:ident : $value:expr $(, $($rest:tt)*)?) => {
        (&raw mut (*$slot).$field).write($value);
        $crate::__fields!($slot, $($($rest)*)?);
    };
    ($slot:ident, $field:ident $(, $($rest:tt)*)?) => {
        (&raw mut (*$slot).$field).write($field);
        $crate::__fields!($slot, $($($rest)*)?);
    };
}
