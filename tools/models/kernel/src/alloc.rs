// SPDX-License-Identifier: GPL-2.0

//! Boxes and vectors. What a box gives back is not handed out again in the same execution.

use crate::error::Result;
use pin_init::{raw_try_init, PinInit};
use std::{
    alloc::Layout,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    pin::Pin,
};

/// How memory is got.
#[derive(Clone, Copy)]
pub struct Flags;

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, _other: Self) -> Self {
        self
    }
}

/// The flags that are used.
pub mod flags {
    use super::Flags;
    pub const GFP_KERNEL: Flags = Flags;
    pub const GFP_ATOMIC: Flags = Flags;
    pub const __GFP_NOWARN: Flags = Flags;
}

/// A box.
pub struct KBox<T>(*mut T);

// SAFETY: Owns the value.
unsafe impl<T: Send> Send for KBox<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    /// Moves a value into memory of its own.
    pub fn new(value: T, _flags: Flags) -> Result<Self> {
        let memory = engine::allocate(Layout::new::<T>()).cast::<T>();
        // SAFETY: Just allocated.
        unsafe { memory.write(value) };
        Ok(Self(memory))
    }

    /// Allocates memory.
    pub fn new_uninit(flags: Flags) -> Result<KBox<MaybeUninit<T>>> {
        KBox::new(MaybeUninit::uninit(), flags)
    }

    /// Makes a value in place.
    pub fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Pin<Self>>
    where
        crate::error::Error: From<E>,
    {
        let memory = KBox::into_raw(Self::new_uninit(flags)?).cast::<T>();
        // SAFETY: Just allocated.
        unsafe { raw_try_init(memory, init) }?;
        // SAFETY: Stays where it is.
        Ok(unsafe { Pin::new_unchecked(Self(memory)) })
    }

    /// Pins the value.
    pub fn into_pin(this: Self) -> Pin<Self> {
        // SAFETY: It stays where it is.
        unsafe { Pin::new_unchecked(this) }
    }

    /// Gives the memory away.
    pub fn into_raw(this: Self) -> *mut T {
        std::mem::ManuallyDrop::new(this).0
    }

    /// Takes the memory back.
    ///
    /// # Safety
    ///
    /// From [`into_raw`](Self::into_raw).
    pub unsafe fn from_raw(memory: *mut T) -> Self {
        Self(memory)
    }
}

impl<T> KBox<MaybeUninit<T>> {
    /// Returns where the value will be.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.0.cast()
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: Owned.
        unsafe { &*self.0 }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: Owned.
        unsafe { &mut *self.0 }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: Owned.
        unsafe { self.0.drop_in_place() };
        engine::release(self.0.cast(), Layout::new::<T>());
    }
}

/// What did not fit.
pub struct PushError<T>(pub T);

impl<T> From<PushError<T>> for crate::error::Error {
    fn from(_: PushError<T>) -> Self {
        crate::error::code::EINVAL
    }
}

/// Vectors.
pub mod kvec {
    pub use super::PushError;
}

/// A vector.
pub struct KVec<T>(Vec<T>);
/// Another one.
pub type KVVec<T> = KVec<T>;

impl<T> KVec<T> {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes one with room.
    pub fn with_capacity(n: usize, _flags: Flags) -> Result<Self> {
        Ok(Self(Vec::with_capacity(n)))
    }

    /// Adds a value.
    pub fn push(&mut self, value: T, _flags: Flags) -> Result {
        self.0.push(value);
        Ok(())
    }

    /// Adds a value if there is room.
    pub fn push_within_capacity(&mut self, value: T) -> Result<(), PushError<T>> {
        if self.0.len() == self.0.capacity() {
            return Err(PushError(value));
        }
        self.0.push(value);
        Ok(())
    }

    /// Takes the last one.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Returns the room.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<T> Default for KVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> IntoIterator for KVec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
