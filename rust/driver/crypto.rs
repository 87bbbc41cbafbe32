// SPDX-License-Identifier: GPL-2.0

//! The kernel's primitives for the protocol.

use kext::{
    crypto::{
        self,
        blake2s,
        chacha20poly1305,
        curve25519,
        xchacha20poly1305, //
    },
    random, //
};
use wg_proto::{
    crypto::{
        Crypto,
        HASH_LEN,
        MAC_LEN, //
    },
    key::SymmetricKey, //
};

/// The kernel's crypto library.
pub(crate) enum Library {}

impl Crypto for Library {
    #[inline]
    fn hash(out: &mut [u8; HASH_LEN], parts: &[&[u8]]) {
        blake2s::hash(out, &[], parts);
    }

    #[inline]
    fn mac(out: &mut [u8; MAC_LEN], key: &[u8], text: &[u8]) {
        blake2s::hash(out, key, &[text]);
    }

    #[inline]
    fn x25519(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool {
        curve25519::shared(out, secret, point)
    }

    #[inline]
    fn x25519_public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool {
        curve25519::public(out, secret)
    }

    #[inline]
    fn seal(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]) {
        // Fails for a buffer without room for the tag only, which the protocol never passes.
        let _ = chacha20poly1305::seal_in_place(key, nonce, ad, buf);
    }

    #[inline]
    fn open(key: &[u8; 32], nonce: u64, ad: &[u8], buf: &mut [u8]) -> bool {
        chacha20poly1305::open_in_place(key, nonce, ad, buf)
    }

    #[inline]
    fn xseal(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) {
        let _ = xchacha20poly1305::seal_in_place(key, nonce, ad, buf);
    }

    #[inline]
    fn xopen(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) -> bool {
        xchacha20poly1305::open_in_place(key, nonce, ad, buf)
    }

    #[inline]
    fn equal(a: &[u8], b: &[u8]) -> bool {
        crypto::equal(a, b)
    }
}

/// Encrypts a packet in place, its tag at the end. Returns whether it is encrypted now.
#[inline]
#[must_use]
pub(crate) fn seal(key: &SymmetricKey, nonce: u64, packet: &mut [u8]) -> bool {
    chacha20poly1305::seal_in_place(key.as_bytes(), nonce, &[], packet)
}

/// Fills a key with random bytes.
pub(crate) fn entropy(bytes: &mut [u8; 32]) {
    random::fill(bytes);
}
