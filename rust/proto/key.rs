// SPDX-License-Identifier: GPL-2.0

//! Keys.

use core::{
    hint::black_box,
    marker::PhantomData, //
};

/// Length of every key.
pub const LEN: usize = 32;

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(MODULE), derive(Debug, Hash))]
#[repr(transparent)]
pub struct PublicKey([u8; LEN]);

impl PublicKey {
    /// The point zero, which is no valid key.
    pub const ZERO: Self = Self([0; LEN]);

    /// Takes a key from its bytes.
    #[inline]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Returns the bytes for filling.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8; LEN] {
        &mut self.0
    }
}

/// `N` secret bytes of kind `K`.
///
/// A new one is zero: it is put where it shall lie and filled there. Filled ones are not moved, as
/// that would leave a copy behind, so nothing takes or returns one by value. Neither `Copy` nor
/// `Clone` nor `Debug`; wiped when dropped.
#[repr(transparent)]
pub struct Secret<K, const N: usize = LEN> {
    bytes: [u8; N],
    kind: PhantomData<fn() -> K>,
}

impl<K, const N: usize> Secret<K, N> {
    /// Makes a secret of zeros.
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

    /// Returns the bytes for filling.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8; N] {
        &mut self.bytes
    }

    /// Makes the secret the same as another one.
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

/// What secrets are for; a secret of one kind does not pass for one of another.
pub mod kind {
    /// Scalar of a Curve25519 key pair.
    pub enum Private {}
    /// Key that both sides were given beforehand.
    pub enum Preshared {}
    /// Result of a Diffie-Hellman exchange.
    pub enum Shared {}
    /// Key of the AEAD.
    pub enum Symmetric {}
    /// What a handshake's keys are derived from.
    pub enum Chaining {}
    /// Hash over a handshake's transcript.
    pub enum Transcript {}
    /// Output or scratch of the key derivation.
    pub enum Derived {}
    /// What a responder makes its cookies from.
    pub enum CookieSource {}
    /// Cookie.
    pub enum Cookie {}
}

/// Private key, static or ephemeral.
pub type PrivateKey = Secret<kind::Private>;
/// Key that both sides were given beforehand; zero if none was.
pub type PresharedKey = Secret<kind::Preshared>;
/// Result of a Diffie-Hellman exchange.
pub type SharedSecret = Secret<kind::Shared>;
/// Key of the AEAD.
pub type SymmetricKey = Secret<kind::Symmetric>;
/// What a handshake's keys are derived from.
pub type ChainingKey = Secret<kind::Chaining>;
/// Hash over a handshake's transcript.
pub type Transcript = Secret<kind::Transcript>;

impl PrivateKey {
    /// Makes the bytes a scalar as Curve25519 wants it.
    pub fn clamp(&mut self) {
        let [first, .., last] = &mut self.bytes;
        *first &= 248;
        *last = (*last & 127) | 64;
    }
}
