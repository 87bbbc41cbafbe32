// SPDX-License-Identifier: GPL-2.0

//! Poly1305 as ChaCha20-Poly1305 uses it.
//!
//! C header: [`include/crypto/poly1305.h`](srctree/include/crypto/poly1305.h)

use super::{
    chacha20poly1305::{
        BLOCK_LEN,
        MAX_PIECE, //
    },
    wipe,
    TAG_LEN, //
};
use crate::{
    bindings,
    bytes::RawBytes, //
};
use core::mem::MaybeUninit;

/// The running computation of a tag. The caller keeps the state in place: it is secret, and moving
/// it would leave copies.
///
/// # Invariants
///
/// The state is initialised.
pub(super) struct Tag<'a>(&'a mut MaybeUninit<bindings::poly1305_desc_ctx>);

impl<'a> Tag<'a> {
    /// Begins with the key at the start of `block`, and wipes the block.
    #[inline]
    pub(super) fn new(
        state: &'a mut MaybeUninit<bindings::poly1305_desc_ctx>,
        block: &mut [u8; BLOCK_LEN],
    ) -> Self {
        // SAFETY: The state is valid for writes, the block for reads, and longer than a key.
        unsafe { bindings::poly1305_init(state.as_mut_ptr(), block.as_ptr()) };
        wipe(block);
        // INVARIANT: Initialised just now.
        Self(state)
    }

    /// Adds bytes to the input.
    #[inline]
    pub(super) fn update(&mut self, mut bytes: RawBytes<'_>) {
        while let Some((piece, rest)) = bytes.split_at(bytes.len().min(MAX_PIECE)) {
            // CAST: At most 2^20.
            let len = piece.len() as u32;
            // SAFETY: By the type invariants; the piece is valid for reads.
            unsafe { bindings::poly1305_update(self.0.as_mut_ptr(), piece.as_ptr(), len) };
            if rest.is_empty() {
                return;
            }
            bytes = rest;
        }
    }

    /// Adds what ends the input: the padding, no additional data, and both lengths.
    #[inline]
    pub(super) fn end(&mut self, text_len: usize) {
        let mut room = [0; 31];
        if let Some(end) = room.get_mut(..end_len(text_len)) {
            write_end(end, text_len);
            self.update((&*end).into());
        }
    }

    /// Returns the tag.
    #[inline]
    pub(super) fn finish(self) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        // SAFETY: By the type invariants; C wipes the state. The tag has the right length.
        unsafe { bindings::poly1305_final(self.0.as_mut_ptr(), tag.as_mut_ptr()) };
        tag
    }
}

/// Returns how many zeroes pad a text of that length to a multiple of 16 bytes.
#[inline]
pub fn padding(text_len: usize) -> usize {
    text_len.wrapping_neg() & 15
}

/// Returns the length of what ends the input of Poly1305, in bytes.
#[inline]
pub(super) fn end_len(text_len: usize) -> usize {
    padding(text_len).wrapping_add(16)
}

/// Writes what ends the input of Poly1305 to a room of [`end_len()`] bytes.
#[inline]
pub(super) fn write_end(room: &mut [u8], text_len: usize) {
    if let Some(padding) = room.first_chunk_mut::<16>() {
        *padding = [0; 16];
    }
    if let Some(lengths) = room.last_chunk_mut::<16>() {
        // CAST: To the same size or a larger one.
        *lengths = ((text_len as u128) << 64).to_le_bytes();
    }
}
