// SPDX-License-Identifier: GPL-2.0

//! The first message: making one, and checking a received one.

use super::{
    pattern::{
        InitiationParts,
        SymmetricState,
        STATIC_LEN, //
    },
    Handshake,
    Identity,
    Remote,
    State, //
};
use crate::{
    crypto::{
        Crypto,
        TAG_LEN, //
    },
    key::{
        PrivateKey,
        PublicKey,
        SharedSecret, //
    },
    message::{
        Index,
        Initiation, //
    },
    tai64n,
    DropReason,
    Tai64N, //
};

/// Length of the encrypted timestamp.
const PAYLOAD_LEN: usize = tai64n::LEN + TAG_LEN;

impl Handshake {
    /// Starts an attempt: writes an initiation without its macs.
    ///
    /// `entropy` fills the ephemeral private key. Returns the index of the attempt that this one
    /// replaces, for the caller to free. A failure changes nothing, and `index` is not used.
    pub fn create_initiation<C: Crypto>(
        &mut self,
        local: &Identity,
        out: &mut Initiation,
        index: Index,
        timestamp: Tai64N,
        entropy: impl FnOnce(&mut [u8; 32]),
    ) -> Result<Option<Index>, DropReason> {
        let mut ephemeral = PrivateKey::zeroed();
        let mut symmetric = SymmetricState::zeroed();
        let public = *self.remote.public();

        entropy(ephemeral.as_mut_bytes());
        ephemeral.clamp();
        let Some(text) = out.timestamp.first_chunk_mut() else {
            return Err(DropReason::BadLength);
        };
        // The remote accepts rising timestamps only, but our clock may have been set back.
        let timestamp = timestamp.max(self.sent.next());
        *text = *timestamp.as_bytes();
        symmetric.start::<C>(&public);
        symmetric.write_initiation::<C>(
            local,
            &public,
            self.remote.static_static::<C>(local)?,
            &ephemeral,
            InitiationParts {
                ephemeral: &mut out.ephemeral,
                identity: &mut out.identity,
                payload: &mut out.timestamp,
            },
        )?;
        out.set_head(index);
        self.sent = timestamp;

        let replaced = self.local_index();
        self.state = State::InitiationSent { local: index };
        self.ephemeral.copy_from(&ephemeral);
        self.symmetric.copy_from(&symmetric);
        Ok(replaced)
    }
}

/// Scratch memory for a received initiation.
pub struct IncomingInitiation {
    symmetric: SymmetricState,
    static_static: SharedSecret,
    ephemeral: PublicKey,
    identity: PublicKey,
    timestamp: Tai64N,
    sender: Index,
}

/// An initiation whose static key was decrypted. Its sender claims to be
/// [`OpenedInitiation::sender`].
#[must_use]
pub struct OpenedInitiation<'w>(&'w mut IncomingInitiation);

/// An initiation whose sender claims to be a remote that we know.
#[must_use]
pub struct KnownInitiation<'w>(&'w mut IncomingInitiation);

/// An initiation that the remote made, now or earlier: it may be a replay.
#[must_use]
pub struct AuthenticInitiation<'w>(&'w mut IncomingInitiation);

impl IncomingInitiation {
    /// Makes empty scratch memory.
    pub const fn new() -> Self {
        Self {
            symmetric: SymmetricState::zeroed(),
            static_static: SharedSecret::zeroed(),
            ephemeral: PublicKey::ZERO,
            identity: PublicKey::ZERO,
            timestamp: Tai64N::ZERO,
            sender: Index::new(0),
        }
    }

    /// Decrypts the sender's static key in `message`, an initiation to `local`.
    ///
    /// `local` must not change before the last step.
    pub fn open<C: Crypto>(
        &mut self,
        local: &Identity,
        message: &Initiation,
    ) -> Result<OpenedInitiation<'_>, DropReason> {
        let mut identity: [u8; STATIC_LEN] = message.identity;
        let (_, public) = local.keys()?;

        self.sender = message.sender();
        self.ephemeral = PublicKey::from_bytes(message.ephemeral);
        self.symmetric.start::<C>(public);
        self.symmetric
            .read_initiation_identity::<C>(local, &self.ephemeral, &mut identity)?;
        let Some(text) = identity.first_chunk() else {
            return Err(DropReason::BadLength);
        };
        self.identity = PublicKey::from_bytes(*text);
        Ok(OpenedInitiation(self))
    }
}

impl Default for IncomingInitiation {
    fn default() -> Self {
        Self::new()
    }
}

impl<'w> OpenedInitiation<'w> {
    /// Returns the public key that the sender claims to have.
    pub fn sender(&self) -> &PublicKey {
        &self.0.identity
    }

    /// Copies from the handshake with the sender what the next steps need.
    pub fn snapshot<C: Crypto>(
        self,
        local: &Identity,
        handshake: &mut Handshake,
    ) -> Result<KnownInitiation<'w>, DropReason> {
        if handshake.remote.public() != &self.0.identity {
            return Err(DropReason::UnknownPeer);
        }
        let static_static = handshake.remote.static_static::<C>(local)?;
        self.0.static_static.copy_from(static_static);
        Ok(KnownInitiation(self.0))
    }

    /// Checks that the sender, which is no remote of ours, has the private key of the public key it
    /// claims.
    pub fn authenticate_unknown<C: Crypto>(
        self,
        local: &Identity,
        message: &Initiation,
    ) -> Result<(), DropReason> {
        let mut remote = Remote::new(self.0.identity);
        let static_static = remote.static_static::<C>(local)?;
        self.0.static_static.copy_from(static_static);
        KnownInitiation(self.0)
            .authenticate::<C>(message)
            .map(|_| ())
    }
}

impl<'w> KnownInitiation<'w> {
    /// Checks that the sender has the private key of the public key it claims, and decrypts the
    /// timestamp.
    pub fn authenticate<C: Crypto>(
        self,
        message: &Initiation,
    ) -> Result<AuthenticInitiation<'w>, DropReason> {
        let mut payload: [u8; PAYLOAD_LEN] = message.timestamp;

        self.0
            .symmetric
            .read_initiation_payload::<C>(&self.0.static_static, &mut payload)?;
        let Some(text) = payload.first_chunk() else {
            return Err(DropReason::BadLength);
        };
        self.0.timestamp = Tai64N::from_bytes(*text);
        Ok(AuthenticInitiation(self.0))
    }
}

impl AuthenticInitiation<'_> {
    /// Shortest time between two accepted initiations, in nanoseconds: fifty in a second.
    const INTERVAL: u64 = 1_000_000_000 / 50;

    /// Checks timestamp and rate of the initiation, and makes it the current attempt of the
    /// handshake, whatever the state was.
    ///
    /// `handshake` has to be the one that [`OpenedInitiation::snapshot`] was given; `now` is in
    /// nanoseconds since boot.
    pub fn commit(self, handshake: &mut Handshake, now: u64) -> Result<(), DropReason> {
        let Self(work) = self;

        if handshake.remote.public() != &work.identity {
            return Err(DropReason::UnknownPeer);
        }
        if work.timestamp <= handshake.latest {
            return Err(DropReason::ReplayedTimestamp);
        }
        if let Some(accepted) = handshake.accepted {
            if accepted.saturating_add(Self::INTERVAL) > now {
                return Err(DropReason::Flood);
            }
        }

        handshake.latest = work.timestamp;
        handshake.accepted = Some(now);
        handshake.state = State::InitiationReceived {
            ephemeral: work.ephemeral,
            remote: work.sender,
            stale: handshake.local_index(),
        };
        handshake.ephemeral.wipe();
        handshake.symmetric.copy_from(&work.symmetric);
        Ok(())
    }
}
