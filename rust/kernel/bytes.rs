// SPDX-License-Identifier: GPL-2.0

//! Memory that C functions read and write, described by address and length instead of a reference.

use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};

/// A readable range of memory.
///
/// Other parts of the kernel may hold the same memory and write to it, which this crate cannot
/// prevent. A `&[u8]` would promise the compiler that they do not. So this type has a pointer,
/// which it passes to C.
///
/// # Invariants
///
/// `start` is valid for reads of `len` bytes by C for as long as `'a`.
#[derive(Clone, Copy)]
pub struct RawBytes<'a> {
    start: *const u8,
    len: usize,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> RawBytes<'a> {
    /// Makes a range of the `len` bytes at `start`.
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

    /// Returns the address of the first byte.
    #[inline]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.start
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// Returns whether the range is empty.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Splits the range after `n` bytes. Returns `None` if there are fewer.
    #[inline]
    pub fn split_at(self, n: usize) -> Option<(Self, Self)> {
        let rest = self.len.checked_sub(n)?;
        // INVARIANT: Both are parts of this range.
        Some((
            Self { len: n, ..self },
            Self {
                start: self.start.wrapping_add(n),
                len: rest,
                ..self
            },
        ))
    }

    /// Copies the first `N` bytes. Returns `None` if there are fewer.
    #[inline]
    pub fn first<const N: usize>(self) -> Option<[u8; N]> {
        // SAFETY: The range has at least `N` bytes, and any bytes are a value of the array.
        (N <= self.len).then(|| unsafe { self.start.cast::<[u8; N]>().read() })
    }

    /// Writes bytes to `room`, each XORed with that of `stream`, until one of the three ends.
    #[inline]
    pub fn xor_to(self, room: &mut [MaybeUninit<u8>], stream: &[u8]) {
        let n = self.len.min(room.len()).min(stream.len());
        if let Some(stream) = stream.get(..n) {
            // SAFETY: The range and the room have at least `n` bytes.
            unsafe { xor(room.as_mut_ptr().cast(), self.start, stream) };
        }
    }
}

/// XORs a key stream into a text, until one of them ends.
#[inline]
pub(crate) fn xor_in_place(text: &mut [u8], stream: &[u8]) {
    let n = text.len().min(stream.len());
    let text = text.as_mut_ptr();
    if let Some(stream) = stream.get(..n) {
        // SAFETY: The text has at least `n` bytes.
        unsafe { xor(text, text, stream) };
    }
}

/// Writes bytes from `from` to `to`, each XORed with that of `stream`.
///
/// # Safety
///
/// `from` must be valid for reads and `to` for writes of as many bytes as `stream` has. Both may be
/// the same.
#[inline]
unsafe fn xor(mut to: *mut u8, mut from: *const u8, stream: &[u8]) {
    // Four words per step, as a text may be long.
    const STEP: usize = 4 * 8;
    let keys = stream.chunks_exact(STEP);
    let last = keys.remainder();
    for key in keys {
        // SAFETY: This step is part of `stream`, which is no longer than what may be read.
        let mut words = unsafe { from.cast::<[[u8; 8]; 4]>().read() };
        for (word, key) in words.iter_mut().zip(key.chunks_exact(8)) {
            if let Ok(key) = key.try_into() {
                *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(key)).to_ne_bytes();
            }
        }
        // SAFETY: As above, for what may be written.
        unsafe { to.cast::<[[u8; 8]; 4]>().write(words) };
        (from, to) = (from.wrapping_add(STEP), to.wrapping_add(STEP));
    }
    for key in last {
        // SAFETY: As above.
        let byte = unsafe { from.read() } ^ key;
        // SAFETY: As above.
        unsafe { to.write(byte) };
        (from, to) = (from.wrapping_add(1), to.wrapping_add(1));
    }
}

impl<'a> From<&'a [u8]> for RawBytes<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        // SAFETY: A reference is valid for reads of its length.
        unsafe { Self::new(bytes.as_ptr(), bytes.len()) }
    }
}

/// An invariant lifetime, which no two rooms have in common.
type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// Memory that a function has to fill, initialised or not.
///
/// The function proves that it has written all bytes by returning the [`Written`] of this room.
pub struct Room<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    brand: Brand<'a>,
}

impl<'a> Room<'a> {
    /// Calls `write` with a room of `bytes`. Returns whether `write` filled it.
    #[inline]
    pub(crate) fn lend(
        bytes: &mut [MaybeUninit<u8>],
        write: impl for<'r> FnOnce(Room<'r>) -> Option<Written<'r>>,
    ) -> bool {
        let brand = PhantomData;
        write(Room { bytes, brand }).is_some()
    }

    /// Calls `write` with a room of initialised `bytes`. Returns whether `write` overwrote all of
    /// them.
    #[inline]
    pub(crate) fn lend_written(
        bytes: &mut [u8],
        write: impl for<'r> FnOnce(Room<'r>) -> Option<Written<'r>>,
    ) -> bool {
        let (start, len) = (bytes.as_mut_ptr().cast(), bytes.len());
        // SAFETY: The same memory. Only functions of this crate write to the room, and they write
        // initialised bytes, so `bytes` stays initialised.
        let bytes = unsafe { core::slice::from_raw_parts_mut(start, len) };
        Self::lend(bytes, write)
    }

    /// Returns the size of the room in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether the size of the room is zero.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the memory, which may be uninitialised.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        self.bytes
    }

    /// Makes the proof that all bytes have been written.
    ///
    /// # Safety
    ///
    /// All bytes of the room must have been written.
    #[inline]
    pub(crate) unsafe fn written(self) -> Written<'a> {
        Written(self.brand)
    }
}

/// Proof that all bytes of a [`Room`] have been written.
pub struct Written<'a>(Brand<'a>);
