// SPDX-License-Identifier: GPL-2.0

//! The identities of the two sides.

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

/// Our side: the key pair of an interface, if it has one.
pub struct Identity {
    private: PrivateKey,
    public: PublicKey,
    exists: bool,
    /// Grows with each change, so that what was computed from an older key is known as stale.
    /// Zero only while there never was a key.
    epoch: u64,
}

impl Identity {
    /// Makes an identity without keys.
    pub const fn new() -> Self {
        Self {
            private: PrivateKey::zeroed(),
            public: PublicKey::ZERO,
            exists: false,
            epoch: 0,
        }
    }

    /// Takes another private key; zero takes the identity away.
    ///
    /// Handshakes and sessions under the old key have to be ended by the caller.
    pub fn set<C: Crypto>(&mut self, private: &PrivateKey) {
        self.private.copy_from(private);
        self.private.clamp();
        self.exists = C::x25519_public(self.public.as_mut_bytes(), private.as_bytes());
        if !self.exists {
            self.public = PublicKey::ZERO;
        }
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Returns whether `private` is the private key as it is stored, clamped.
    pub fn is_private<C: Crypto>(&self, private: &PrivateKey) -> bool {
        C::equal(self.private.as_bytes(), private.as_bytes())
    }

    /// Returns the public key if there is an identity.
    pub fn public(&self) -> Option<&PublicKey> {
        self.exists.then_some(&self.public)
    }

    /// Returns the private key if there is an identity.
    pub fn private(&self) -> Option<&PrivateKey> {
        self.exists.then_some(&self.private)
    }

    /// Returns both keys, or the reason why there is no handshake.
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

/// The other side: what is known of it for good.
///
/// Belongs to one [`Identity`], whatever keys that has in the course of time.
pub struct Remote {
    public: PublicKey,
    preshared: PresharedKey,
    /// Product of the static keys; zero if that is the product or there is no identity.
    static_static: SharedSecret,
    /// Epoch of the identity that `static_static` was computed with.
    epoch: Option<u64>,
}

impl Remote {
    /// Makes the other side with this public key, without a preshared key.
    pub const fn new(public: PublicKey) -> Self {
        Self {
            public,
            preshared: PresharedKey::zeroed(),
            static_static: SharedSecret::zeroed(),
            epoch: None,
        }
    }

    /// Returns the public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the preshared key; zero if there is none.
    pub const fn preshared(&self) -> &PresharedKey {
        &self.preshared
    }

    /// Returns the preshared key for filling.
    pub fn preshared_mut(&mut self) -> &mut PresharedKey {
        &mut self.preshared
    }

    /// Forgets what was computed with a private key of ours, which is to go.
    pub fn forget_ours(&mut self) {
        self.static_static.wipe();
        self.epoch = None;
    }

    /// Returns the product of the static keys, computed at the first need.
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
