// SPDX-License-Identifier: GPL-2.0

//! The macs that end handshake messages, and the cookies of a loaded receiver.
//!
//! mac1 shows that the sender knows the receiver's public key. mac2 shows that the sender owns its
//! source address: it is made with a cookie, which the receiver derives from that address and a
//! secret of its own, and sends to that address. A receiver asks for it when it is under load.

use crate::{
    crypto::{
        Crypto,
        HASH_LEN,
        MAC_LEN, //
    },
    key::{
        self,
        kind,
        PublicKey,
        Secret, //
    },
    message::{
        CookieReply,
        Index,
        COOKIE_NONCE_LEN, //
    },
    session::has_expired,
    DropReason, //
};

/// Age in seconds at which the secret behind the cookies is replaced.
const SECRET_MAX_AGE: u64 = 120;

/// A sender uses a cookie for [`SECRET_MAX_AGE`] less this, in seconds, as its secret will be
/// replaced.
const LATENCY: u64 = 5;

/// A cookie.
type Cookie = Secret<kind::CookieKind, MAC_LEN>;

/// The two keys derived from a public key, which everyone who knows the public key can compute.
struct Labelled {
    mac1: [u8; HASH_LEN],
    cookie: [u8; HASH_LEN],
}

impl Labelled {
    const fn zeroed() -> Self {
        Self {
            mac1: [0; HASH_LEN],
            cookie: [0; HASH_LEN],
        }
    }

    fn set<C: Crypto>(&mut self, public: &PublicKey) {
        mac1_key::<C>(&mut self.mac1, public);
        cookie_key::<C>(&mut self.cookie, public);
    }
}

/// Derives the key of mac1 from the public key of the receiver.
fn mac1_key<C: Crypto>(out: &mut [u8; HASH_LEN], public: &PublicKey) {
    C::hash(out, &[b"mac1----", public.as_bytes()]);
}

/// Derives the key that encrypts the cookies of a receiver from its public key.
fn cookie_key<C: Crypto>(out: &mut [u8; HASH_LEN], public: &PublicKey) {
    C::hash(out, &[b"cookie--", public.as_bytes()]);
}

/// The result of checking the macs of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(MODULE), derive(Debug))]
#[must_use]
pub enum MacState {
    /// mac1 is wrong.
    Invalid,
    /// mac1 is right; mac2 is wrong or was not asked for.
    Valid,
    /// Both macs are right.
    ValidWithCookie,
}

/// The receiver's side of macs and cookies, one for an interface.
pub struct CookieChecker {
    keys: Option<Labelled>,
    secret: Secret<kind::CookieSourceKind>,
    born: Option<u64>,
}

impl CookieChecker {
    /// Makes a checker without public key and secret.
    pub const fn new() -> Self {
        Self {
            keys: None,
            secret: Secret::zeroed(),
            born: None,
        }
    }

    /// Sets the public key, or removes it.
    pub fn set_identity<C: Crypto>(&mut self, public: Option<&PublicKey>) {
        self.keys = None;
        if let Some(public) = public {
            self.keys.insert(Labelled::zeroed()).set::<C>(public);
        }
    }

    /// Returns whether [`CookieChecker::rotate`] has to be called before cookies are checked or
    /// made, as the secret is missing or too old.
    pub fn is_stale(&self, now: u64) -> bool {
        self.born
            .is_none_or(|born| has_expired(born, SECRET_MAX_AGE, now))
    }

    /// Replaces a stale secret by what `entropy` writes.
    pub fn rotate(&mut self, now: u64, entropy: impl FnOnce(&mut [u8; 32])) {
        if self.is_stale(now) {
            entropy(self.secret.as_mut_bytes());
            self.born = Some(now);
        }
    }

    /// Checks mac1 of a handshake message and, under load only, mac2. Without a public key the
    /// result is [`MacState::Invalid`].
    ///
    /// `source` is the address and port that the message came from, as on the wire.
    pub fn check<C: Crypto>(&self, message: &[u8], source: &[u8], under_load: bool) -> MacState {
        let mut mac = [0; MAC_LEN];
        let Some(keys) = &self.keys else {
            return MacState::Invalid;
        };
        let Some((before2, mac2)) = message.split_last_chunk::<MAC_LEN>() else {
            return MacState::Invalid;
        };
        let Some((before1, mac1)) = before2.split_last_chunk::<MAC_LEN>() else {
            return MacState::Invalid;
        };

        C::mac(&mut mac, &keys.mac1, before1);
        if !C::equal(&mac, mac1) {
            return MacState::Invalid;
        }
        // Without a secret, which is then zero, every sender could compute its cookie.
        if !under_load || self.born.is_none() {
            return MacState::Valid;
        }
        let mut cookie = Cookie::zeroed();
        self.bake::<C>(&mut cookie, source);
        C::mac(&mut mac, cookie.as_bytes(), before2);
        if !C::equal(&mac, mac2) {
            return MacState::Valid;
        }
        MacState::ValidWithCookie
    }

    /// Writes a cookie reply to a handshake message, whose sender chose the index `sender`.
    ///
    /// `nonce` is random. Fails without a public key or secret, and if the message is too short for
    /// macs.
    pub fn reply<C: Crypto>(
        &self,
        out: &mut CookieReply,
        message: &[u8],
        sender: Index,
        source: &[u8],
        nonce: &[u8; COOKIE_NONCE_LEN],
    ) -> Result<(), DropReason> {
        let (before2, _) = message
            .split_last_chunk::<MAC_LEN>()
            .ok_or(DropReason::BadLength)?;
        let (_, mac1) = before2
            .split_last_chunk::<MAC_LEN>()
            .ok_or(DropReason::BadLength)?;
        let keys = self.keys.as_ref().ok_or(DropReason::NoIdentity)?;
        if self.born.is_none() {
            return Err(DropReason::RngNotReady);
        }
        let mut cookie = Cookie::zeroed();
        self.bake::<C>(&mut cookie, source);
        out.set_head(sender, nonce);
        let Some(text) = out.cookie.first_chunk_mut() else {
            return Err(DropReason::BadLength);
        };
        *text = *cookie.as_bytes();
        C::xseal(&keys.cookie, nonce, mac1, &mut out.cookie);
        Ok(())
    }

    /// Computes the cookie of a source.
    fn bake<C: Crypto>(&self, out: &mut Cookie, source: &[u8]) {
        C::mac(out.as_mut_bytes(), self.secret.as_bytes(), source);
    }
}

impl Default for CookieChecker {
    fn default() -> Self {
        Self::new()
    }
}

/// The sender's side of macs and cookies, one for a remote.
///
/// Derives the remote's two keys anew for each message: a hash is little beside a handshake, and an
/// idle peer takes 32 bytes less.
pub struct CookieGenerator {
    remote: PublicKey,
    cookie: Cookie,
    /// When the cookie was received, if there is one.
    born: Option<u64>,
    /// mac1 of the last message, until a cookie answers it.
    sent: Option<[u8; MAC_LEN]>,
}

impl CookieGenerator {
    /// How long a cookie is used.
    const MAX_AGE: u64 = SECRET_MAX_AGE - LATENCY;

    /// Makes an empty generator; [`CookieGenerator::set_remote`] has to follow.
    pub const fn new() -> Self {
        Self {
            remote: PublicKey::from_bytes([0; key::LEN]),
            cookie: Cookie::zeroed(),
            born: None,
            sent: None,
        }
    }

    /// Sets the public key of the remote.
    pub const fn set_remote(&mut self, public: &PublicKey) {
        self.remote = *public;
    }

    /// Writes both macs of a handshake message that is otherwise complete.
    pub fn add_macs<C: Crypto>(&mut self, message: &mut [u8], now: u64) -> Result<(), DropReason> {
        let (before2, mac2) = message
            .split_last_chunk_mut::<MAC_LEN>()
            .ok_or(DropReason::BadLength)?;
        let (before1, mac1) = before2
            .split_last_chunk_mut::<MAC_LEN>()
            .ok_or(DropReason::BadLength)?;

        let mut key = [0; HASH_LEN];
        mac1_key::<C>(&mut key, &self.remote);
        C::mac(mac1, &key, before1);
        self.sent = Some(*mac1);
        match self.born {
            Some(born) if !has_expired(born, Self::MAX_AGE, now) => {
                C::mac(mac2, self.cookie.as_bytes(), before2);
            }
            _ => *mac2 = [0; MAC_LEN],
        }
        Ok(())
    }

    /// Decrypts and keeps the cookie of a reply to our last message.
    pub fn consume<C: Crypto>(&mut self, reply: &CookieReply, now: u64) -> Result<(), DropReason> {
        let sent = self.sent.ok_or(DropReason::UnexpectedCookie)?;
        let mut text = Secret::<kind::CookieKind, { MAC_LEN + crate::crypto::TAG_LEN }>::zeroed();

        *text.as_mut_bytes() = reply.cookie;
        let mut key = [0; HASH_LEN];
        cookie_key::<C>(&mut key, &self.remote);
        if !C::xopen(&key, &reply.nonce, &sent, text.as_mut_bytes()) {
            return Err(DropReason::BadCookie);
        }
        let Some(cookie) = text.as_bytes().first_chunk() else {
            return Err(DropReason::BadLength);
        };
        *self.cookie.as_mut_bytes() = *cookie;
        self.born = Some(now);
        self.sent = None;
        Ok(())
    }
}

impl Default for CookieGenerator {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = assert!(key::LEN == HASH_LEN);
