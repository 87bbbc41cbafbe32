// SPDX-License-Identifier: GPL-2.0

//! BLAKE2s.
//!
//! C header: [`include/crypto/blake2s.h`](srctree/include/crypto/blake2s.h)

use crate::bindings;
use core::mem::MaybeUninit;

/// The length of the longest hash.
pub const HASH_LEN: usize = 32;

/// The length of the longest key.
pub const KEY_LEN: usize = 32;

/// Writes the BLAKE2s hash of the concatenated `parts` to `out`, keyed if `key` is not empty.
///
/// The length of `out` is a parameter of the hash, so a shorter hash is no prefix of a longer one.
/// If it is not 1 to [`HASH_LEN`] bytes, or the key is longer than [`KEY_LEN`], this writes zeroes,
/// with a warning.
pub fn hash(out: &mut [u8], key: &[u8], parts: &[&[u8]]) {
    let sane = (1..=HASH_LEN).contains(&out.len()) && key.len() <= KEY_LEN;
    if kernel::warn_on!(!sane) {
        out.fill(0);
        return;
    }
    let mut ctx = MaybeUninit::<bindings::blake2s_ctx>::uninit();
    if key.is_empty() {
        // SAFETY: `ctx` is valid for writes, and the length was checked.
        unsafe { bindings::blake2s_init(ctx.as_mut_ptr(), out.len()) };
    } else {
        // SAFETY: `ctx` is valid for writes, the key for reads, and both lengths were checked.
        unsafe {
            bindings::blake2s_init_key(ctx.as_mut_ptr(), out.len(), key.as_ptr().cast(), key.len())
        };
    }
    for part in parts {
        // SAFETY: `ctx` is initialised, and `part` valid for reads of that length.
        unsafe { bindings::blake2s_update(ctx.as_mut_ptr(), part.as_ptr(), part.len()) };
    }
    // SAFETY: `ctx` is initialised, and `out` has the length that `ctx` was initialised with. C
    // wipes `ctx`.
    unsafe { bindings::blake2s_final(ctx.as_mut_ptr(), out.as_mut_ptr()) };
}
