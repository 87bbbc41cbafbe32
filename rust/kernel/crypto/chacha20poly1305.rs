// SPDX-License-Identifier: GPL-2.0

//! ChaCha20-Poly1305 with a counter for the nonce.
//!
//! C header: [`include/crypto/chacha20poly1305.h`](srctree/include/crypto/chacha20poly1305.h)

use super::TAG_LEN;
use crate::bindings;

/// Encrypts all of `buffer` but its last [`TAG_LEN`] bytes, and writes the tag there.
///
/// Returns whether there was room for a tag; otherwise nothing is done.
#[inline]
#[must_use = "nothing is encrypted if this fails"]
pub fn seal_in_place(key: &[u8; 32], nonce: u64, ad: &[u8], buffer: &mut [u8]) -> bool {
    let Some(len) = buffer.len().checked_sub(TAG_LEN) else {
        return false;
    };
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads of `len` and writes of `len + TAG_LEN` bytes; source and
    // destination may be the same. `ad` and the key are valid for reads.
    unsafe {
        bindings::chacha20poly1305_encrypt(
            text,
            text,
            len,
            ad.as_ptr(),
            ad.len(),
            nonce,
            key.as_ptr(),
        )
    };
    true
}

/// Decrypts all of `buffer` but the tag at its end, if that is right, and returns whether it is.
///
/// If it is not, the text is left as it was.
#[inline]
#[must_use = "the text is not authentic if this fails"]
pub fn open_in_place(key: &[u8; 32], nonce: u64, ad: &[u8], buffer: &mut [u8]) -> bool {
    if buffer.len() < TAG_LEN {
        return false;
    }
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads and writes of its length, which includes the tag; source
    // and destination may be the same. `ad` and the key are valid for reads.
    unsafe {
        bindings::chacha20poly1305_decrypt(
            text,
            text,
            buffer.len(),
            ad.as_ptr(),
            ad.len(),
            nonce,
            key.as_ptr(),
        )
    }
}
