// SPDX-License-Identifier: GPL-2.0

//! XChaCha20-Poly1305: a nonce long enough to be random.
//!
//! C header: [`include/crypto/chacha20poly1305.h`](srctree/include/crypto/chacha20poly1305.h)

use super::TAG_LEN;
use crate::bindings;

/// Encrypts all of `buffer` but its last [`TAG_LEN`] bytes, and writes the tag there.
///
/// Returns whether there was room for a tag; otherwise nothing is done.
#[inline]
#[must_use = "nothing is encrypted if this fails"]
pub fn seal_in_place(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buffer: &mut [u8]) -> bool {
    let Some(len) = buffer.len().checked_sub(TAG_LEN) else {
        return false;
    };
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads of `len` and writes of `len + TAG_LEN` bytes; source and
    // destination may be the same. `ad`, the nonce and the key are valid for reads.
    unsafe {
        bindings::xchacha20poly1305_encrypt(
            text,
            text,
            len,
            ad.as_ptr(),
            ad.len(),
            nonce.as_ptr(),
            key.as_ptr(),
        )
    };
    true
}

/// Checks the tag at the end of `buffer` and decrypts the rest in place. Returns whether the tag is
/// right.
///
/// If it is not, the text is left as it was.
#[inline]
#[must_use = "the text is not authentic if this fails"]
pub fn open_in_place(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buffer: &mut [u8]) -> bool {
    if buffer.len() < TAG_LEN {
        return false;
    }
    let text = buffer.as_mut_ptr();
    // SAFETY: `text` is valid for reads and writes of its length, which includes the tag; source
    // and destination may be the same. `ad`, the nonce and the key are valid for reads.
    unsafe {
        bindings::xchacha20poly1305_decrypt(
            text,
            text,
            buffer.len(),
            ad.as_ptr(),
            ad.len(),
            nonce.as_ptr(),
            key.as_ptr(),
        )
    }
}
