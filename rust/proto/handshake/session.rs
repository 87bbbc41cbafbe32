// SPDX-License-Identifier: GPL-2.0

//! The keys of a session, which a finished handshake yields.

use super::{
    Handshake,
    State, //
};
use crate::{
    crypto::Crypto,
    key::SymmetricKey,
    message::Index,
    session::Lifetime,
    DropReason, //
};

/// Our role in a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(MODULE), derive(Debug))]
pub enum Role {
    /// We sent the initiation; we may use the session at once.
    Initiator,
    /// We sent the response; we may use the session once the initiator has used it.
    Responder,
}

/// The keys of a session, with its indices, our role and its age.
pub struct SessionKeys {
    /// Key of the packets that we send.
    pub sending: SymmetricKey,
    /// Key of the packets that we receive.
    pub receiving: SymmetricKey,
    /// Index that we chose for the handshake, and that is now the session's.
    pub local: Index,
    /// Index that the remote chose for the session.
    pub remote: Index,
    /// Our role in the handshake.
    pub role: Role,
    /// When the keys were derived, in nanoseconds since boot.
    pub birth: u64,
}

impl SessionKeys {
    /// Makes zero keys, for [`Handshake::begin_session`] to fill in place.
    pub const fn zeroed() -> Self {
        Self {
            sending: SymmetricKey::zeroed(),
            receiving: SymmetricKey::zeroed(),
            local: Index::new(0),
            remote: Index::new(0),
            role: Role::Responder,
            birth: 0,
        }
    }

    /// Returns the birth and role of the session, on which its limits depend.
    #[inline]
    pub const fn lifetime(&self) -> Lifetime {
        Lifetime {
            birth: self.birth,
            initiator: matches!(self.role, Role::Initiator),
        }
    }
}

impl Handshake {
    /// Derives the keys of a finished handshake, and ends the handshake.
    ///
    /// The index of the handshake becomes that of the session.
    pub fn begin_session<C: Crypto>(
        &mut self,
        now: u64,
        out: &mut SessionKeys,
    ) -> Result<(), DropReason> {
        match self.state {
            State::ResponseReceived { local, remote } => {
                self.symmetric
                    .split::<C>(&mut out.sending, &mut out.receiving);
                (out.local, out.remote, out.role) = (local, remote, Role::Initiator);
            }
            State::ResponseSent { local, remote } => {
                self.symmetric
                    .split::<C>(&mut out.receiving, &mut out.sending);
                (out.local, out.remote, out.role) = (local, remote, Role::Responder);
            }
            _ => return Err(DropReason::WrongState),
        }
        out.birth = now;
        self.clear();
        Ok(())
    }
}
