// SPDX-License-Identifier: GPL-2.0

//! `Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s`, for any prologue and payloads.
//!
//! ```text
//! <- s
//! ...
//! -> e, es, s, ss, {payload}
//! <- e, ee, se, psk, {payload}
//! ```
//!
//! Buffers for encrypted parts hold the text and, after it, [`TAG_LEN`](crate::crypto::TAG_LEN)
//! bytes for the tag; they are encrypted and decrypted in place.

use super::Identity;
use crate::{
    crypto::{
        Crypto,
        HASH_LEN,
        TAG_LEN, //
    },
    kdf,
    key::{
        self,
        ChainingKey,
        PresharedKey,
        PrivateKey,
        PublicKey,
        SharedSecret,
        SymmetricKey,
        Transcript, //
    },
    DropReason, //
};

/// Name of the protocol.
pub const NAME: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";

/// Prologue of WireGuard.
pub const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";

/// Hash of [`NAME`].
const INITIAL_CHAIN: [u8; HASH_LEN] = [
    0x60, 0xe2, 0x6d, 0xae, 0xf3, 0x27, 0xef, 0xc0, 0x2e, 0xc3, 0x35, 0xe2, 0xa0, 0x25, 0xd2, 0xd0,
    0x16, 0xeb, 0x42, 0x06, 0xf8, 0x72, 0x77, 0xf5, 0x2d, 0x38, 0xd1, 0x98, 0x8b, 0x78, 0xcd, 0x36,
];

/// Hash of [`INITIAL_CHAIN`] and [`IDENTIFIER`].
const INITIAL_HASH: [u8; HASH_LEN] = [
    0x22, 0x11, 0xb3, 0x61, 0x08, 0x1a, 0xc5, 0x66, 0x69, 0x12, 0x43, 0xdb, 0x45, 0x8a, 0xd5, 0x32,
    0x2d, 0x9c, 0x6c, 0x66, 0x22, 0x93, 0xe8, 0xb7, 0x0e, 0xe1, 0x9c, 0x65, 0xba, 0x07, 0x9e, 0xf3,
];

/// Length of an encrypted static key.
pub const STATIC_LEN: usize = key::LEN + TAG_LEN;

/// The symmetric state of Noise: the chaining key and the hash of the transcript.
pub struct SymmetricState {
    chain: ChainingKey,
    hash: Transcript,
}

/// Buffers for the parts of an initiation.
pub struct InitiationParts<'a> {
    /// Our ephemeral public key.
    pub ephemeral: &'a mut [u8; key::LEN],
    /// Our static public key, encrypted.
    pub identity: &'a mut [u8; STATIC_LEN],
    /// The payload, to be encrypted.
    pub payload: &'a mut [u8],
}

/// Buffers for the parts of a response.
pub struct ResponseParts<'a> {
    /// Our ephemeral public key.
    pub ephemeral: &'a mut [u8; key::LEN],
    /// The payload, to be encrypted.
    pub payload: &'a mut [u8],
}

impl SymmetricState {
    /// Makes a zero state.
    pub const fn zeroed() -> Self {
        Self {
            chain: ChainingKey::zeroed(),
            hash: Transcript::zeroed(),
        }
    }

    /// Starts a handshake with a responder, with WireGuard's prologue.
    pub fn start<C: Crypto>(&mut self, responder: &PublicKey) {
        *self.chain.as_mut_bytes() = INITIAL_CHAIN;
        *self.hash.as_mut_bytes() = INITIAL_HASH;
        self.mix_hash::<C>(responder.as_bytes());
    }

    /// Starts a handshake with a responder, with any prologue.
    pub fn start_with<C: Crypto>(&mut self, prologue: &[u8], responder: &PublicKey) {
        C::hash(self.chain.as_mut_bytes(), &[NAME]);
        C::hash(self.hash.as_mut_bytes(), &[self.chain.as_bytes(), prologue]);
        self.mix_hash::<C>(responder.as_bytes());
    }

    /// Copies another state to this one.
    pub fn copy_from(&mut self, other: &Self) {
        self.chain.copy_from(&other.chain);
        self.hash.copy_from(&other.hash);
    }

    /// Overwrites the state with zeros.
    pub fn wipe(&mut self) {
        self.chain.wipe();
        self.hash.wipe();
    }

    /// Returns the hash of the transcript: of all that was sent.
    pub const fn hash(&self) -> &[u8; HASH_LEN] {
        self.hash.as_bytes()
    }

    /// Derives the keys of the session: `initiator` encrypts the packets of the initiator,
    /// `responder` those of the responder.
    pub fn split<C: Crypto>(&self, initiator: &mut SymmetricKey, responder: &mut SymmetricKey) {
        kdf::split::<C, _>(&self.chain, initiator, responder);
    }

    /// Writes an initiation of the identity `local`.
    pub fn write_initiation<C: Crypto>(
        &mut self,
        local: &Identity,
        remote: &PublicKey,
        static_static: &SharedSecret,
        ephemeral: &PrivateKey,
        out: InitiationParts<'_>,
    ) -> Result<(), DropReason> {
        let (_, public) = local.keys()?;
        let mut key = SymmetricKey::zeroed();
        // e
        self.send_ephemeral::<C>(out.ephemeral, ephemeral)?;
        // es
        self.mix_dh_key::<C>(&mut key, ephemeral, remote)?;
        // s
        if let Some(text) = out.identity.first_chunk_mut() {
            *text = *public.as_bytes();
        }
        self.seal::<C>(&key, out.identity);
        // ss
        self.mix_shared_key::<C>(&mut key, static_static)?;
        // {payload}
        self.seal::<C>(&key, out.payload);
        Ok(())
    }

    /// Reads an initiation up to the static key, and decrypts that.
    pub fn read_initiation_identity<C: Crypto>(
        &mut self,
        local: &Identity,
        ephemeral: &PublicKey,
        identity: &mut [u8; STATIC_LEN],
    ) -> Result<(), DropReason> {
        let (private, _) = local.keys()?;
        let mut key = SymmetricKey::zeroed();
        // e
        self.mix_ephemeral::<C>(ephemeral);
        // es
        self.mix_dh_key::<C>(&mut key, private, ephemeral)?;
        // s
        self.open::<C>(&key, identity)
            .then_some(())
            .ok_or(DropReason::BadStatic)
    }

    /// Reads the rest of an initiation, and decrypts the payload.
    pub fn read_initiation_payload<C: Crypto>(
        &mut self,
        static_static: &SharedSecret,
        payload: &mut [u8],
    ) -> Result<(), DropReason> {
        let mut key = SymmetricKey::zeroed();
        // ss
        self.mix_shared_key::<C>(&mut key, static_static)?;
        // {payload}
        self.open::<C>(&key, payload)
            .then_some(())
            .ok_or(DropReason::BadTimestamp)
    }

    /// Writes the response to an initiation of `remote`, whose ephemeral key is `remote_ephemeral`.
    pub fn write_response<C: Crypto>(
        &mut self,
        remote: &PublicKey,
        remote_ephemeral: &PublicKey,
        preshared: &PresharedKey,
        ephemeral: &PrivateKey,
        out: ResponseParts<'_>,
    ) -> Result<(), DropReason> {
        let mut key = SymmetricKey::zeroed();
        // e
        self.send_ephemeral::<C>(out.ephemeral, ephemeral)?;
        // ee
        self.mix_dh::<C>(ephemeral, remote_ephemeral)?;
        // se
        self.mix_dh::<C>(ephemeral, remote)?;
        // psk
        self.mix_preshared::<C>(&mut key, preshared);
        // {payload}
        self.seal::<C>(&key, out.payload);
        Ok(())
    }

    /// Reads the response to our initiation, whose ephemeral private key is `ephemeral`.
    pub fn read_response<C: Crypto>(
        &mut self,
        local: &Identity,
        ephemeral: &PrivateKey,
        preshared: &PresharedKey,
        remote_ephemeral: &PublicKey,
        payload: &mut [u8],
    ) -> Result<(), DropReason> {
        let (private, _) = local.keys()?;
        let mut key = SymmetricKey::zeroed();
        // e
        self.mix_ephemeral::<C>(remote_ephemeral);
        // ee
        self.mix_dh::<C>(ephemeral, remote_ephemeral)?;
        // se
        self.mix_dh::<C>(private, remote_ephemeral)?;
        // psk
        self.mix_preshared::<C>(&mut key, preshared);
        // {payload}
        self.open::<C>(&key, payload)
            .then_some(())
            .ok_or(DropReason::BadResponse)
    }

    /// Writes the public key of `ephemeral` to the message, and mixes it in.
    fn send_ephemeral<C: Crypto>(
        &mut self,
        out: &mut [u8; key::LEN],
        ephemeral: &PrivateKey,
    ) -> Result<(), DropReason> {
        if !C::x25519_public(out, ephemeral.as_bytes()) {
            return Err(DropReason::LowOrder);
        }
        self.mix_ephemeral::<C>(&PublicKey::from_bytes(*out));
        Ok(())
    }

    fn mix_ephemeral<C: Crypto>(&mut self, public: &PublicKey) {
        self.mix_hash::<C>(public.as_bytes());
        kdf::kdf1::<C>(&mut self.chain, public.as_bytes());
    }

    fn mix_dh<C: Crypto>(
        &mut self,
        private: &PrivateKey,
        public: &PublicKey,
    ) -> Result<(), DropReason> {
        let mut shared = SharedSecret::zeroed();
        multiply::<C>(&mut shared, private, public)?;
        kdf::kdf1::<C>(&mut self.chain, shared.as_bytes());
        Ok(())
    }

    fn mix_dh_key<C: Crypto>(
        &mut self,
        key: &mut SymmetricKey,
        private: &PrivateKey,
        public: &PublicKey,
    ) -> Result<(), DropReason> {
        let mut shared = SharedSecret::zeroed();
        multiply::<C>(&mut shared, private, public)?;
        kdf::kdf2::<C, _>(&mut self.chain, key, shared.as_bytes());
        Ok(())
    }

    fn mix_shared_key<C: Crypto>(
        &mut self,
        key: &mut SymmetricKey,
        shared: &SharedSecret,
    ) -> Result<(), DropReason> {
        if C::equal(shared.as_bytes(), &[0; key::LEN]) {
            return Err(DropReason::LowOrder);
        }
        kdf::kdf2::<C, _>(&mut self.chain, key, shared.as_bytes());
        Ok(())
    }

    fn mix_preshared<C: Crypto>(&mut self, key: &mut SymmetricKey, preshared: &PresharedKey) {
        let mut tau = Transcript::zeroed();
        kdf::kdf3::<C, _, _>(&mut self.chain, &mut tau, key, preshared.as_bytes());
        self.mix_hash::<C>(tau.as_bytes());
    }

    fn mix_hash<C: Crypto>(&mut self, data: &[u8]) {
        let mut next = Transcript::zeroed();
        C::hash(next.as_mut_bytes(), &[self.hash.as_bytes(), data]);
        self.hash.copy_from(&next);
    }

    /// Encrypts `buf` under a key that is used once.
    fn seal<C: Crypto>(&mut self, key: &SymmetricKey, buf: &mut [u8]) {
        C::seal(key.as_bytes(), 0, self.hash.as_bytes(), buf);
        self.mix_hash::<C>(buf);
    }

    /// Undoes [`SymmetricState::seal`].
    fn open<C: Crypto>(&mut self, key: &SymmetricKey, buf: &mut [u8]) -> bool {
        // The ciphertext is mixed in, but decryption overwrites it, so compute the hash before.
        let mut next = Transcript::zeroed();
        C::hash(next.as_mut_bytes(), &[self.hash.as_bytes(), buf]);
        let valid = C::open(key.as_bytes(), 0, self.hash.as_bytes(), buf);
        if valid {
            self.hash.copy_from(&next);
        }
        valid
    }
}

impl Default for SymmetricState {
    fn default() -> Self {
        Self::zeroed()
    }
}

/// Writes the product of two keys to `out`.
fn multiply<C: Crypto>(
    out: &mut SharedSecret,
    private: &PrivateKey,
    public: &PublicKey,
) -> Result<(), DropReason> {
    C::x25519(out.as_mut_bytes(), private.as_bytes(), public.as_bytes())
        .then_some(())
        .ok_or(DropReason::LowOrder)
}
