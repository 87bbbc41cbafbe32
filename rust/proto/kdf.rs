// SPDX-License-Identifier: GPL-2.0

//! Key derivation: HKDF over HMAC-BLAKE2s.

use crate::{
    crypto::{
        Crypto,
        HASH_LEN, //
    },
    key::{
        kind,
        ChainingKey,
        Secret, //
    },
};

/// Block length of BLAKE2s.
const BLOCK_LEN: usize = 64;

/// Memory for a value that is both an output and an input.
type Scratch = Secret<kind::DerivedKind>;

/// Writes HMAC-BLAKE2s of the concatenation of `a` and `b` to `out`.
pub fn hmac<C: Crypto>(out: &mut [u8; HASH_LEN], key: &[u8; 32], a: &[u8], b: &[u8]) {
    let mut pad = Secret::<kind::DerivedKind, BLOCK_LEN>::zeroed();
    let mut inner = Scratch::zeroed();

    for (pad, key) in pad.as_mut_bytes().iter_mut().zip(key) {
        *pad = *key;
    }
    for byte in pad.as_mut_bytes() {
        *byte ^= 0x36;
    }
    C::hash(inner.as_mut_bytes(), &[pad.as_bytes(), a, b]);
    for byte in pad.as_mut_bytes() {
        *byte ^= 0x36 ^ 0x5c;
    }
    C::hash(out, &[pad.as_bytes(), inner.as_bytes()]);
}

/// Replaces `chain` by the first output of HKDF over `chain` and `input`.
pub fn kdf1<C: Crypto>(chain: &mut ChainingKey, input: &[u8]) {
    let mut prk = Scratch::zeroed();
    extract::<C>(&mut prk, chain, input);
    hmac::<C>(chain.as_mut_bytes(), prk.as_bytes(), &[1], &[]);
}

/// Replaces `chain` by the first output of HKDF over `chain` and `input`, and writes the second to
/// `second`.
pub fn kdf2<C: Crypto, A>(chain: &mut ChainingKey, second: &mut Secret<A>, input: &[u8]) {
    let mut prk = Scratch::zeroed();
    extract::<C>(&mut prk, chain, input);
    hmac::<C>(chain.as_mut_bytes(), prk.as_bytes(), &[1], &[]);
    hmac::<C>(
        second.as_mut_bytes(),
        prk.as_bytes(),
        chain.as_bytes(),
        &[2],
    );
}

/// Replaces `chain` by the first output of HKDF over `chain` and `input`, and writes the other two
/// to `second` and `third`.
pub fn kdf3<C: Crypto, A, B>(
    chain: &mut ChainingKey,
    second: &mut Secret<A>,
    third: &mut Secret<B>,
    input: &[u8],
) {
    let mut prk = Scratch::zeroed();
    extract::<C>(&mut prk, chain, input);
    hmac::<C>(chain.as_mut_bytes(), prk.as_bytes(), &[1], &[]);
    hmac::<C>(
        second.as_mut_bytes(),
        prk.as_bytes(),
        chain.as_bytes(),
        &[2],
    );
    hmac::<C>(
        third.as_mut_bytes(),
        prk.as_bytes(),
        second.as_bytes(),
        &[3],
    );
}

/// Writes the two outputs of HKDF over `chain`, without input, to `first` and `second`.
pub fn split<C: Crypto, A>(chain: &ChainingKey, first: &mut Secret<A>, second: &mut Secret<A>) {
    let mut prk = Scratch::zeroed();
    extract::<C>(&mut prk, chain, &[]);
    hmac::<C>(first.as_mut_bytes(), prk.as_bytes(), &[1], &[]);
    hmac::<C>(
        second.as_mut_bytes(),
        prk.as_bytes(),
        first.as_bytes(),
        &[2],
    );
}

/// Extracts a pseudorandom key from `chain` and `input` (HKDF-Extract).
fn extract<C: Crypto>(prk: &mut Scratch, chain: &ChainingKey, input: &[u8]) {
    hmac::<C>(prk.as_mut_bytes(), chain.as_bytes(), input, &[]);
}
