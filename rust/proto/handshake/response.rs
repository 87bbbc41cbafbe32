// SPDX-License-Identifier: GPL-2.0

//! The second message: making one, and checking a received one.

use super::{
    pattern::{
        ResponseParts,
        SymmetricState, //
    },
    Handshake,
    Identity,
    State, //
};
use crate::{
    crypto::Crypto,
    key::{
        PresharedKey,
        PrivateKey,
        PublicKey, //
    },
    message::{
        Index,
        Response, //
    },
    DropReason, //
};

impl Handshake {
    /// Answers the committed initiation: writes a response without its macs.
    ///
    /// `entropy` fills the ephemeral private key. Returns the index of the attempt that the
    /// initiation replaced, for the caller to free. A failure changes nothing, and `index` is not
    /// used.
    pub fn create_response<C: Crypto>(
        &mut self,
        out: &mut Response,
        index: Index,
        entropy: impl FnOnce(&mut [u8; 32]),
    ) -> Result<Option<Index>, DropReason> {
        let State::InitiationReceived {
            ephemeral: remote_ephemeral,
            remote,
            stale,
        } = self.state
        else {
            return Err(DropReason::WrongState);
        };
        let mut ephemeral = PrivateKey::zeroed();
        let mut symmetric = SymmetricState::zeroed();

        entropy(ephemeral.as_mut_bytes());
        ephemeral.clamp();
        symmetric.copy_from(&self.symmetric);
        symmetric.write_response::<C>(
            self.remote.public(),
            &remote_ephemeral,
            self.remote.preshared(),
            &ephemeral,
            ResponseParts {
                ephemeral: &mut out.ephemeral,
                payload: &mut out.nothing,
            },
        )?;
        out.set_head(index, remote);

        self.state = State::ResponseSent {
            local: index,
            remote,
        };
        self.symmetric.copy_from(&symmetric);
        Ok(stale)
    }
}

/// Scratch memory for a received response.
pub struct IncomingResponse {
    symmetric: SymmetricState,
    ephemeral: PrivateKey,
    preshared: PresharedKey,
    local: Index,
    sender: Index,
}

/// A copy of the state of our initiation, against which a response is checked.
#[must_use]
pub struct SentInitiation<'w>(&'w mut IncomingResponse);

/// A response that the remote made to our initiation.
#[must_use]
pub struct AuthenticResponse<'w>(&'w mut IncomingResponse);

impl IncomingResponse {
    /// Makes empty scratch memory.
    pub const fn new() -> Self {
        Self {
            symmetric: SymmetricState::zeroed(),
            ephemeral: PrivateKey::zeroed(),
            preshared: PresharedKey::zeroed(),
            local: Index::new(0),
            sender: Index::new(0),
        }
    }

    /// Copies what checking a response needs from a handshake that waits for one.
    pub fn snapshot(&mut self, handshake: &Handshake) -> Result<SentInitiation<'_>, DropReason> {
        let State::InitiationSent { local } = handshake.state else {
            return Err(DropReason::WrongState);
        };
        self.local = local;
        self.symmetric.copy_from(&handshake.symmetric);
        self.ephemeral.copy_from(&handshake.ephemeral);
        self.preshared.copy_from(handshake.remote.preshared());
        Ok(SentInitiation(self))
    }
}

impl Default for IncomingResponse {
    fn default() -> Self {
        Self::new()
    }
}

impl<'w> SentInitiation<'w> {
    /// Checks that `message` is the remote's answer.
    ///
    /// `local` has to be the identity that sent the initiation, and must not change before the last
    /// step.
    pub fn authenticate<C: Crypto>(
        self,
        local: &Identity,
        message: &Response,
    ) -> Result<AuthenticResponse<'w>, DropReason> {
        let mut payload = message.nothing;

        if message.receiver() != self.0.local {
            return Err(DropReason::Superseded);
        }
        self.0.sender = message.sender();
        self.0.symmetric.read_response::<C>(
            local,
            &self.0.ephemeral,
            &self.0.preshared,
            &PublicKey::from_bytes(message.ephemeral),
            &mut payload,
        )?;
        Ok(AuthenticResponse(self.0))
    }
}

impl AuthenticResponse<'_> {
    /// Commits the response, if the handshake still waits for an answer to the same initiation.
    ///
    /// The state alone does not show that: while this response was checked, another CPU may have
    /// sent another initiation, which has another ephemeral key.
    pub fn commit<C: Crypto>(self, handshake: &mut Handshake) -> Result<(), DropReason> {
        let Self(work) = self;
        let State::InitiationSent { local } = handshake.state else {
            return Err(DropReason::Superseded);
        };

        if !C::equal(handshake.ephemeral.as_bytes(), work.ephemeral.as_bytes()) {
            return Err(DropReason::Superseded);
        }
        handshake.state = State::ResponseReceived {
            local,
            remote: work.sender,
        };
        handshake.ephemeral.wipe();
        handshake.symmetric.copy_from(&work.symmetric);
        Ok(())
    }
}
