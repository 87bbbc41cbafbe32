// SPDX-License-Identifier: GPL-2.0

//! The long-term keys of both sides.

use crate::{
    crypto::Crypto,
    key::{
        PresharedKey,
        PrivateKey,
        PublicKey,
        SharedSecret, //
    },
    DropReason, //
};

/// The key pair of an interface, if it has one.
pub struct Identity {
    private: PrivateKey,
    public: PublicKey,
    exists: bool,
    /// Incremented with each change, which marks results of an older key as stale. Zero only while
    /// no key was ever set.
    epoch: u64,
}

impl Identity {
    /// Makes an identity without key pair.
    pub const fn new() -> Self {
        Self {
            private: PrivateKey::zeroed(),
            public: PublicKey::ZERO,
            exists: false,
            epoch: 0,
        }
    }

    /// Sets another private key; a zero key removes the key pair.
    ///
    /// The caller has to end handshakes and sessions under the old key.
    pub fn set<C: Crypto>(&mut self, private: &PrivateKey) {
        self.private.copy_from(private);
        self.private.clamp();
        self.exists = C::x25519_public(self.public.as_mut_bytes(), private.as_bytes());
        if !self.exists {
            self.public = PublicKey::ZERO;
        }
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Returns whether `private` is the stored private key, which is clamped.
    pub fn is_private<C: Crypto>(&self, private: &PrivateKey) -> bool {
        C::equal(self.private.as_bytes(), private.as_bytes())
    }

    /// Returns the public key, if there is one.
    pub fn public(&self) -> Option<&PublicKey> {
        self.exists.then_some(&self.public)
    }

    /// Returns the private key, if there is one.
    pub fn private(&self) -> Option<&PrivateKey> {
        self.exists.then_some(&self.private)
    }

    /// Returns both keys, or the reason to refuse a handshake without them.
    pub(super) fn keys(&self) -> Result<(&PrivateKey, &PublicKey), DropReason> {
        if self.exists {
            Ok((&self.private, &self.public))
        } else {
            Err(DropReason::NoIdentity)
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// The keys of a remote that outlive its handshakes.
///
/// It belongs to one [`Identity`], which may get other keys meanwhile.
pub struct Remote {
    public: PublicKey,
    preshared: PresharedKey,
    /// Product of the static keys; zero if that is the product or there is no identity.
    static_static: SharedSecret,
    /// Epoch of the identity for which `static_static` was computed.
    epoch: Option<u64>,
}

impl Remote {
    /// Makes a remote with this public key, without a preshared key.
    pub const fn new(public: PublicKey) -> Self {
        Self {
            public,
            preshared: PresharedKey::zeroed(),
            static_static: SharedSecret::zeroed(),
            epoch: None,
        }
    }

    /// Returns the remote's public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the preshared key; zero if there is none.
    pub const fn preshared(&self) -> &PresharedKey {
        &self.preshared
    }

    /// Returns the preshared key, to be filled.
    pub fn preshared_mut(&mut self) -> &mut PresharedKey {
        &mut self.preshared
    }

    /// Wipes what was computed with our private key, before that is replaced.
    pub fn forget_ours(&mut self) {
        self.static_static.wipe();
        self.epoch = None;
    }

    /// Returns the product of the static keys, which it computes if it is not known for the current
    /// key.
    pub fn static_static<C: Crypto>(
        &mut self,
        local: &Identity,
    ) -> Result<&SharedSecret, DropReason> {
        if self.epoch != Some(local.epoch) {
            let (private, _) = local.keys()?;
            let valid = C::x25519(
                self.static_static.as_mut_bytes(),
                private.as_bytes(),
                self.public.as_bytes(),
            );
            if !valid {
                self.static_static.wipe();
            }
            self.epoch = Some(local.epoch);
        }
        Ok(&self.static_static)
    }
}
