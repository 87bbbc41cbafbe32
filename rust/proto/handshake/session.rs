// SPDX-License-Identifier: GPL-2.0

//! What a handshake ends in.

use super::{
    Handshake,
    State, //
};
use crate::{
    crypto::Crypto,
    key::SymmetricKey,
    message::Index,
    session::Age,
    DropReason, //
};

/// Which side of a handshake we were.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(MODULE), derive(Debug))]
pub enum Role {
    /// We sent the initiation; we may use the session at once.
    Initiator,
    /// We sent the response; we may use the session once the initiator did.
    Responder,
}

/// The keys of a session and what belongs to them.
pub struct SessionKeys {
    /// Key of the packets that we send.
    pub sending: SymmetricKey,
    /// Key of the packets that we receive.
    pub receiving: SymmetricKey,
    /// Index that we gave to the session; it was that of the handshake.
    pub local: Index,
    /// Index that the remote gave to the session.
    pub remote: Index,
    /// Which side of the handshake we were.
    pub role: Role,
    /// When the keys were made, in nanoseconds since boot.
    pub birth: u64,
}

impl SessionKeys {
    /// Makes keys of zeros, to be filled by [`Handshake::begin_session`] where they lie.
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

    /// Returns what the limits of the session depend on.
    #[inline]
    pub const fn age(&self) -> Age {
        Age {
            birth: self.birth,
            initiator: matches!(self.role, Role::Initiator),
        }
    }
}

impl Handshake {
    /// Makes the keys of a finished handshake and forgets the handshake.
    ///
    /// Its index is the session's from then on.
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
