// SPDX-License-Identifier: GPL-2.0

//! Small types.

use std::{cell::UnsafeCell, marker::PhantomData, mem::MaybeUninit};

/// What C writes.
#[repr(transparent)]
pub struct Opaque<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: Used by C only.
unsafe impl<T> Send for Opaque<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Opaque<T> {}

impl<T> Opaque<T> {
    /// Makes it.
    pub const fn uninit() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Returns where it lies.
    pub const fn get(&self) -> *mut T {
        self.0.get().cast()
    }
}

/// Keeps a value on its thread.
pub type NotThreadSafe = PhantomData<*mut ()>;
/// Its only value.
#[allow(non_upper_case_globals)]
pub const NotThreadSafe: NotThreadSafe = PhantomData;

pub use model_macros::kunit_tests;

/// A class of locks.
pub struct LockClass;

impl LockClass {
    /// For C.
    pub const fn as_ptr(&self) -> *mut () {
        std::ptr::null_mut()
    }
}

/// Strings for C.
pub trait CStrExt {
    /// Returns where it lies.
    fn as_char_ptr(&self) -> *const std::ffi::c_char;
}

impl CStrExt for std::ffi::CStr {
    fn as_char_ptr(&self) -> *const std::ffi::c_char {
        self.as_ptr()
    }
}
