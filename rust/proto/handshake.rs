// SPDX-License-Identifier: GPL-2.0

//! The handshake with one remote.
//!
//! A [`Handshake`] lies in the peer, under a lock of the driver. What an incoming message brings is
//! computed in scratch memory of the caller and goes into the handshake in one last step, so that
//! the lock need not be held in between:
//!
//! ```text
//! initiation                                          response
//!   IncomingInitiation::open         no lock            IncomingResponse::snapshot   lock
//!   (look the sender up)                                ExpectedResponse::authenticate
//!   OpenedInitiation::attach         lock               AuthenticResponse::commit    lock
//!   KnownInitiation::authenticate    no lock
//!   AuthenticInitiation::commit      lock
//! ```
//!
//! Each step consumes the proof of the one before, a reference to the scratch memory, so that
//! none can be left out. What is checked against the handshake is checked again, or only, in the
//! last step.
//!
//! ```text
//!                    create_initiation
//!         Idle ------------------------------> InitiationSent
//!          |  \                                     | response committed
//!          |   initiation committed                 v
//!          |    \----> InitiationReceived      ResponseReceived
//!          |               | create_response        |
//!          |               v                        | begin_session
//!          |          ResponseSent                  |
//!          |               | begin_session          |
//!          +<--------------+------------------------+
//! ```
//!
//! An initiation, sent or committed, may start over from every state.

mod identity;
mod initiation;
pub mod pattern;
mod response;
mod session;

pub use identity::{
    Identity,
    Remote, //
};
pub use initiation::{
    AuthenticInitiation,
    IncomingInitiation,
    KnownInitiation,
    OpenedInitiation, //
};
pub use response::{
    AuthenticResponse,
    ExpectedResponse,
    IncomingResponse, //
};
pub use session::{
    Role,
    SessionKeys, //
};

use crate::{
    key::{
        PrivateKey,
        PublicKey, //
    },
    message::Index,
    Tai64N, //
};
use pattern::Symmetric;

/// How far a handshake is.
///
/// The secrets lie beside it and not in it, as they would be moved by each transition.
#[derive(Clone, Copy)]
enum State {
    /// Nothing is going on; all secrets of the handshake are zero.
    Idle,
    /// Our initiation with this index is on its way.
    InitiationSent { local: Index },
    /// A remote's initiation waits for our response.
    InitiationReceived {
        ephemeral: PublicKey,
        remote: Index,
        /// Index of the attempt that the initiation replaced.
        stale: Option<Index>,
    },
    /// Our response is written.
    ResponseSent { local: Index, remote: Index },
    /// The remote's response was right.
    ResponseReceived { local: Index, remote: Index },
}

/// The handshake with one remote, and what outlives each: the remote's keys and what guards
/// against repeated initiations.
pub struct Handshake {
    remote: Remote,
    state: State,
    /// Private key of the attempt.
    ephemeral: PrivateKey,
    symmetric: Symmetric,
    /// Timestamp of our latest initiation.
    sent: Tai64N,
    /// Greatest timestamp of an accepted initiation.
    latest: Tai64N,
    /// When an initiation was last accepted.
    accepted: Option<u64>,
}

impl Handshake {
    /// Makes an idle handshake with the holder of this public key.
    pub const fn new(remote: PublicKey) -> Self {
        Self {
            remote: Remote::new(remote),
            state: State::Idle,
            ephemeral: PrivateKey::zeroed(),
            symmetric: Symmetric::zeroed(),
            sent: Tai64N::ZERO,
            latest: Tai64N::ZERO,
            accepted: None,
        }
    }

    /// Returns the other side.
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Returns the other side for changes.
    pub fn remote_mut(&mut self) -> &mut Remote {
        &mut self.remote
    }

    /// Returns the index by which the remote may still answer an attempt of ours.
    pub const fn local_index(&self) -> Option<Index> {
        match self.state {
            State::Idle => None,
            State::InitiationSent { local }
            | State::ResponseSent { local, .. }
            | State::ResponseReceived { local, .. } => Some(local),
            State::InitiationReceived { stale, .. } => stale,
        }
    }

    /// Forgets the attempt, not the remote; returns the index that is free now.
    pub fn clear(&mut self) -> Option<Index> {
        let index = self.local_index();
        self.state = State::Idle;
        self.ephemeral.wipe();
        self.symmetric.wipe();
        index
    }
}
