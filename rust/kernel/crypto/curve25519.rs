// SPDX-License-Identifier: GPL-2.0

//! Diffie-Hellman on Curve25519.
//!
//! C header: [`include/crypto/curve25519.h`](srctree/include/crypto/curve25519.h)

use crate::bindings;

/// Computes the X25519 shared secret of `secret` and the public key `point`, and returns whether
/// the result is other than zero.
///
/// C clamps a copy of `secret`.
#[inline]
#[must_use = "the result is of no use if this fails"]
pub fn shared(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool {
    // SAFETY: All of them are valid, for writes or reads, for 32 bytes.
    unsafe { bindings::curve25519(out.as_mut_ptr(), secret.as_ptr(), point.as_ptr()) }
}

/// Computes the public key of `secret`, and returns whether `secret` is other than zero.
#[inline]
#[must_use = "the result is of no use if this fails"]
pub fn public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool {
    // SAFETY: Both are valid, for writes or reads, for 32 bytes.
    unsafe { bindings::curve25519_generate_public(out.as_mut_ptr(), secret.as_ptr()) }
}
