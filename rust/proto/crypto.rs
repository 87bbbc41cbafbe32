// SPDX-License-Identifier: GPL-2.0

//! The cryptographic primitives that the protocol uses, which the caller implements.

/// Length of the tag that an AEAD appends.
pub const TAG_LEN: usize = 16;

/// Length of a BLAKE2s hash.
pub const HASH_LEN: usize = 32;

/// Length of a mac and of a cookie.
pub const MAC_LEN: usize = 16;

/// An implementation of the primitives.
///
/// It leaves no copies of secret arguments or results behind.
pub trait Crypto {
    /// Puts the BLAKE2s hash of the concatenated `parts` into `out`.
    fn hash(out: &mut [u8; HASH_LEN], parts: &[&[u8]]);

    /// Puts BLAKE2s of `text` under `key`, which has one to 32 bytes, into `out`.
    ///
    /// The length of `out` is a parameter of the hash, so the result is no prefix of a longer one.
    fn mac(out: &mut [u8; MAC_LEN], key: &[u8], text: &[u8]);

    /// Puts the product of a scalar and a point into `out`; returns `false` if it is zero.
    ///
    /// Implementations clamp the scalar and ignore the top bit of the point.
    #[must_use]
    fn x25519(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool;

    /// Puts the public key of a scalar into `out`; returns `false` if the scalar is zero.
    #[must_use]
    fn x25519_public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool;

    /// Encrypts all of `buf` but its last [`TAG_LEN`] bytes by ChaCha20-Poly1305, and puts the tag
    /// there.
    ///
    /// The nonce is four zero bytes, then `nonce` in little-endian order.
    fn seal(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]);

    /// Undoes [`Crypto::seal`]; returns `false` if the tag is wrong or `buf` too short.
    ///
    /// After a failure the content of `buf` is unspecified, but it is no plaintext.
    #[must_use]
    fn open(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]) -> bool;

    /// Like [`Crypto::seal`] by XChaCha20-Poly1305.
    fn xseal(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]);

    /// Like [`Crypto::open`] by XChaCha20-Poly1305.
    #[must_use]
    fn xopen(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) -> bool;

    /// Returns whether two strings are equal, in a time that depends on their lengths only.
    #[must_use]
    fn equal(a: &[u8], b: &[u8]) -> bool;
}
