// SPDX-License-Identifier: GPL-2.0

//! What the tests of the core have in common: the primitives by the crates of RustCrypto, and a
//! node that does with the core what the driver does with it.

mod node;

pub use node::{
    Node,
    Rng, //
};

use blake2::{
    digest::{
        consts::U16,
        Digest as _,
        Mac as _, //
    },
    Blake2s256,
    Blake2sMac, //
};
use chacha20poly1305::{
    aead::AeadInPlace,
    ChaCha20Poly1305,
    KeyInit,
    XChaCha20Poly1305, //
};
use curve25519_dalek::MontgomeryPoint;
use wg_proto::crypto::{
    Crypto,
    HASH_LEN,
    MAC_LEN,
    TAG_LEN, //
};

/// The primitives in software.
pub enum Soft {}

fn seal(cipher: &impl AeadInPlace, nonce: &[u8], ad: &[u8], buf: &mut [u8]) {
    let (text, tag) = buf
        .split_last_chunk_mut::<TAG_LEN>()
        .expect("room for the tag");
    let made = cipher
        .encrypt_in_place_detached(nonce.into(), ad, text)
        .expect("a short text");
    tag.copy_from_slice(&made);
}

fn open(cipher: &impl AeadInPlace, nonce: &[u8], ad: &[u8], buf: &mut [u8]) -> bool {
    let Some((text, tag)) = buf.split_last_chunk_mut::<TAG_LEN>() else {
        return false;
    };
    cipher
        .decrypt_in_place_detached(nonce.into(), ad, text, tag.as_slice().into())
        .is_ok()
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl Crypto for Soft {
    fn hash(out: &mut [u8; HASH_LEN], parts: &[&[u8]]) {
        let mut hash = Blake2s256::new();
        parts.iter().for_each(|part| hash.update(part));
        *out = hash.finalize().into();
    }

    fn mac(out: &mut [u8; MAC_LEN], key: &[u8], text: &[u8]) {
        let mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key).expect("a short key");
        *out = mac.chain_update(text).finalize().into_bytes().into();
    }

    fn x25519(out: &mut [u8; 32], secret: &[u8; 32], point: &[u8; 32]) -> bool {
        *out = MontgomeryPoint(*point).mul_clamped(*secret).to_bytes();
        *out != [0; 32]
    }

    fn x25519_public(out: &mut [u8; 32], secret: &[u8; 32]) -> bool {
        *out = MontgomeryPoint::mul_base_clamped(*secret).to_bytes();
        *secret != [0; 32]
    }

    fn seal(key: &[u8; 32], counter: u64, ad: &[u8], buf: &mut [u8]) {
        seal(&ChaCha20Poly1305::new(key.into()), &nonce(counter), ad, buf);
    }

    fn open(key: &[u8; 32], counter: u64, ad: &[u8], buf: &mut [u8]) -> bool {
        open(&ChaCha20Poly1305::new(key.into()), &nonce(counter), ad, buf)
    }

    fn xseal(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) {
        seal(&XChaCha20Poly1305::new(key.into()), nonce, ad, buf);
    }

    fn xopen(key: &[u8; 32], nonce: &[u8; 24], ad: &[u8], buf: &mut [u8]) -> bool {
        open(&XChaCha20Poly1305::new(key.into()), nonce, ad, buf)
    }

    fn equal(a: &[u8], b: &[u8]) -> bool {
        a == b
    }
}

/// Reads hexadecimal digits.
pub fn unhex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        })
        .collect()
}
