// SPDX-License-Identifier: GPL-2.0

//! Diffie-Hellman on Curve25519.
//!
//! C header: [`include/crypto/curve25519.h`](srctree/include/crypto/curve25519.h)

use crate::bindings;

/// Computes what the owners of two keys share, and returns whether it is other than zero.
///
/// The secret is clamped as it is used.
#[inline]
#[must_use = "the result is of no use if this fails"]
pub fn shared(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool {
    // SAFETY: All of them are valid, for writes or reads, for 32 bytes.
    unsafe { bindings::curve25519(out.as_mut_ptr(), secret.as_ptr(), point.as_ptr()) }
}

/// Computes the public key of `secret`, and returns whether the latter is other than zero.
#[inline]
#[must_use = "the result is of no use if this fails"]
pub fn public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool {
    // SAFETY: Both are valid, for writes or reads, for 32 bytes.
    unsafe { bindings::curve25519_generate_public(out.as_mut_ptr(), secret.as_ptr()) }
}
