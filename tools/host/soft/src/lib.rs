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
        consts::{
            U16,
            U32, //
        },
        Mac,
        Update as _,
        VariableOutput as _, //
    },
    Blake2sMac,
    Blake2sVar, //
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

fn mac<M: Mac + KeyInit>(out: &mut [u8], key: &[u8], parts: &[&[u8]]) {
    let mut hash = <M as Mac>::new_from_slice(key).expect("a short key");
    parts.iter().for_each(|part| Mac::update(&mut hash, part));
    out.copy_from_slice(&hash.finalize().into_bytes());
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl Crypto for Soft {
    fn blake2s(out: &mut [u8], key: &[u8], parts: &[&[u8]]) {
        assert!(!out.is_empty() && out.len() <= 32 && key.len() <= 32);
        if key.is_empty() {
            let mut hash = Blake2sVar::new(out.len()).expect("a length of BLAKE2s");
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize_variable(out).expect("the same length");
        } else if out.len() == 32 {
            mac::<Blake2sMac<U32>>(out, key, parts);
        } else if out.len() == 16 {
            mac::<Blake2sMac<U16>>(out, key, parts);
        } else {
            unimplemented!("the protocol has no such macs");
        }
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
