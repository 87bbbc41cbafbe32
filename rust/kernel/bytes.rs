// SPDX-License-Identifier: GPL-2.0

//! Bytes that functions of C read and write, without references to them.

use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};

/// Bytes to read.
///
/// Other parts of the kernel may know the same memory, and what they do with it is not up to us. So
/// there is a pointer to it, which goes to C, and no reference.
///
/// # Invariants
///
/// `start` is valid for reads of `len` bytes by C for as long as `'a`.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    start: *const u8,
    len: usize,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// Describes some memory.
    ///
    /// # Safety
    ///
    /// `start` must be valid for reads of `len` bytes by C for as long as `'a`.
    #[inline]
    pub(crate) unsafe fn new(start: *const u8, len: usize) -> Self {
        // INVARIANT: By the requirements.
        Self {
            start,
            len,
            memory: PhantomData,
        }
    }

    /// Returns where the bytes start.
    #[inline]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.start
    }

    /// Returns how many there are.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Returns the first `n` and the rest.
    #[inline]
    pub fn split_at(self, n: usize) -> Option<(Self, Self)> {
        let rest = self.len.checked_sub(n)?;
        // INVARIANT: Both are parts of the same memory.
        Some((
            Self { len: n, ..self },
            Self {
                start: self.start.wrapping_add(n),
                len: rest,
                ..self
            },
        ))
    }

    /// Copies the first `N`.
    #[inline]
    pub fn first<const N: usize>(self) -> Option<[u8; N]> {
        // SAFETY: The attribute has that many bytes, and any bytes are a value.
        (N <= self.len).then(|| unsafe { self.start.cast::<[u8; N]>().read() })
    }

    /// Copies as many as there is room for. Returns how many those are.
    #[inline]
    pub fn copy_to(self, room: &mut [MaybeUninit<u8>]) -> usize {
        let n = self.len.min(room.len());
        // SAFETY: Both sides have `n` bytes, and `room` is borrowed mutably.
        unsafe {
            self.start
                .copy_to_nonoverlapping(room.as_mut_ptr().cast(), n)
        };
        n
    }
}

impl<'a> From<&'a [u8]> for Source<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        // SAFETY: A reference is valid.
        unsafe { Self::new(bytes.as_ptr(), bytes.len()) }
    }
}

/// A lifetime that stands for one room only.
type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// Room for bytes that may never have been written. It is given back as [`Written`].
pub struct Room<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    brand: Brand<'a>,
}

impl<'a> Room<'a> {
    /// Lends some memory to `write`. Returns whether it wrote all of it.
    #[inline]
    pub(crate) fn lend(
        bytes: &mut [MaybeUninit<u8>],
        write: impl for<'r> FnOnce(Room<'r>) -> Option<Written<'r>>,
    ) -> bool {
        let brand = PhantomData;
        write(Room { bytes, brand }).is_some()
    }

    /// Lends bytes that have been written before. Returns whether `write` wrote all of them anew.
    #[inline]
    pub(crate) fn lend_written(
        bytes: &mut [u8],
        write: impl for<'r> FnOnce(Room<'r>) -> Option<Written<'r>>,
    ) -> bool {
        let (start, len) = (bytes.as_mut_ptr().cast(), bytes.len());
        // SAFETY: The same memory. Only functions of this crate write to it, and what they write
        // are bytes.
        let bytes = unsafe { core::slice::from_raw_parts_mut(start, len) };
        Self::lend(bytes, write)
    }

    /// Returns how many bytes there is room for.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the memory, of which nothing need be written yet.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        self.bytes
    }

    /// Tells that all is written.
    ///
    /// # Safety
    ///
    /// It must be.
    #[inline]
    pub(crate) unsafe fn written(self) -> Written<'a> {
        Written(self.brand)
    }
}

/// A [`Room`] of which all is written.
pub struct Written<'a>(Brand<'a>);
