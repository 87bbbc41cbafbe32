// SPDX-License-Identifier: GPL-2.0

//! Public keys, and secrets of several kinds.

use core::{
    hint::black_box,
    marker::PhantomData, //
};

/// Length of every key, in bytes.
pub const LEN: usize = 32;

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(MODULE), derive(Debug, Hash))]
#[repr(transparent)]
pub struct PublicKey([u8; LEN]);

impl PublicKey {
    /// The all-zero point, which is no valid key.
    pub const ZERO: Self = Self([0; LEN]);

    /// Makes a key of its bytes.
    #[inline]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Returns the bytes, to be filled.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8; LEN] {
        &mut self.0
    }
}

/// `N` secret bytes of kind `K`.
///
/// A new one is zero. The caller makes it at its final place and fills it there. A filled one is
/// not moved, as that would leave a copy behind, so no function takes or returns one by value. It
/// is neither `Copy` nor `Clone` nor `Debug`, and its drop wipes it.
#[repr(transparent)]
pub struct Secret<K, const N: usize = LEN> {
    bytes: [u8; N],
    kind: PhantomData<fn() -> K>,
}

impl<K, const N: usize> Secret<K, N> {
    /// Makes a zero secret.
    #[inline]
    pub const fn zeroed() -> Self {
        Self {
            bytes: [0; N],
            kind: PhantomData,
        }
    }

    /// Returns the bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.bytes
    }

    /// Returns the bytes, to be filled.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8; N] {
        &mut self.bytes
    }

    /// Copies another secret to this one.
    #[inline]
    pub fn copy_from(&mut self, other: &Self) {
        self.bytes = other.bytes;
    }

    /// Overwrites the secret with zeros.
    #[inline]
    pub fn wipe(&mut self) {
        self.bytes.fill(0);
        // The compiler has to assume that the zeros are read here, so it writes them.
        black_box(&mut self.bytes);
    }
}

impl<K, const N: usize> Drop for Secret<K, N> {
    #[inline]
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The kinds of secrets, as types: code cannot use a secret of one kind in place of another.
pub mod kind {
    /// Scalar of a Curve25519 key pair.
    pub enum PrivateKind {}
    /// Preshared key.
    pub enum PresharedKind {}
    /// Result of a Diffie-Hellman exchange.
    pub enum SharedKind {}
    /// Key of the AEAD.
    pub enum SymmetricKind {}
    /// Chaining key, from which the keys of a handshake are derived.
    pub enum ChainingKind {}
    /// Hash of a handshake's transcript.
    pub enum TranscriptKind {}
    /// Output of the key derivation, or memory for a step of it.
    pub enum DerivedKind {}
    /// Secret of a receiver, from which it derives cookies.
    pub enum CookieSourceKind {}
    /// Cookie.
    pub enum CookieKind {}
}

/// Private key, static or ephemeral.
pub type PrivateKey = Secret<kind::PrivateKind>;
/// Preshared key; zero if there is none.
pub type PresharedKey = Secret<kind::PresharedKind>;
/// Result of a Diffie-Hellman exchange.
pub type SharedSecret = Secret<kind::SharedKind>;
/// Key of the AEAD.
pub type SymmetricKey = Secret<kind::SymmetricKind>;
/// Chaining key, from which the keys of a handshake are derived.
pub type ChainingKey = Secret<kind::ChainingKind>;
/// Hash of a handshake's transcript.
pub type Transcript = Secret<kind::TranscriptKind>;

impl PrivateKey {
    /// Clamps the bytes to a scalar of Curve25519.
    pub fn clamp(&mut self) {
        let [first, .., last] = &mut self.bytes;
        *first &= 248;
        *last = (*last & 127) | 64;
    }
}
