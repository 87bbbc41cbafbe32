// SPDX-License-Identifier: GPL-2.0

//! The kernel's primitives for the protocol.

use kernel::prelude::*;
use kext::{
    bytes::{
        RawBytes,
        Room,
        Written, //
    },
    context::Process,
    crypto::{
        self,
        blake2s,
        chacha20poly1305,
        curve25519,
        xchacha20poly1305, //
    },
    random::Seeded, //
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
        // Fails only for a buffer without room for the tag, which the protocol never passes.
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

/// Room that [`seal`] needs in front of a packet.
pub(crate) const SEAL_HEADROOM: usize = chacha20poly1305::BLOCK_LEN;

/// Bytes behind the tag of a text of that length that encryption uses, if they are there.
#[inline]
pub(crate) fn slack(len: usize) -> usize {
    chacha20poly1305::slack(len)
}

/// Encrypts `len` bytes of a packet in place, behind [`SEAL_HEADROOM`] bytes that are lost; the tag
/// comes behind them. Returns whether they are encrypted now.
#[inline]
#[must_use]
pub(crate) fn seal(key: &SymmetricKey, nonce: u64, packet: &mut [u8], len: usize) -> bool {
    chacha20poly1305::seal_behind_block(key.as_bytes(), nonce, packet, len)
}

/// Decrypts the first `len` bytes of `packet` in place, if they are authentic, and returns whether
/// they are. The tag behind them may be overwritten.
#[inline]
#[must_use]
pub(crate) fn open(key: &SymmetricKey, nonce: u64, packet: &mut [u8], len: usize) -> bool {
    chacha20poly1305::open_text(key.as_bytes(), nonce, packet, len)
}

/// Decrypts a text with its tag into a buffer for the text, or returns [`None`] if they are not
/// authentic. They must not change meanwhile.
#[inline]
#[must_use]
pub(crate) fn open_into<'a>(
    key: &SymmetricKey,
    nonce: u64,
    sealed: RawBytes<'_>,
    to: Room<'a>,
) -> Option<Written<'a>> {
    chacha20poly1305::open_into(key.as_bytes(), nonce, sealed, to)
}

/// Checks at load that this agrees with the kernel's library.
pub(crate) fn self_test(ctx: &mut Process) -> Result {
    chacha20poly1305::self_test(ctx).inspect_err(|_| {
        pr_err!("The self-test of packet encryption fails\n");
    })
}

/// Returns a function that fills a key with random bytes.
pub(crate) fn entropy(seeded: Seeded) -> impl FnOnce(&mut [u8; 32]) {
    move |bytes| seeded.fill(bytes)
}
