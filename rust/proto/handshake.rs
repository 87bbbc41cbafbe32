// SPDX-License-Identifier: GPL-2.0

//! The handshake with one remote.
//!
//! A [`Handshake`] is part of the peer, under a lock of the driver. The caller's scratch memory
//! takes what is computed from an incoming message, and a last step moves it to the handshake. So
//! the lock is held for the first and last accesses only, and not while a CPU computes:
//!
//! ```text
//! initiation                                          response
//!   IncomingInitiation::open         no lock            IncomingResponse::snapshot   lock
//!   (look the sender up)                                SentInitiation::authenticate
//!   OpenedInitiation::snapshot       lock               AuthenticResponse::commit    lock
//!   KnownInitiation::authenticate    no lock
//!   AuthenticInitiation::commit      lock
//! ```
//!
//! Each step consumes the proof that the one before returned, a reference to the scratch memory, so
//! that the caller cannot leave a step out. While the lock is not held, another message may change
//! the handshake; so the last step checks the state of the handshake, again or only there.
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
//! An initiation, sent or committed, starts a new attempt from every state.

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
    IncomingResponse,
    SentInitiation, //
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
use pattern::SymmetricState;

/// The state of a handshake.
///
/// The secrets are fields beside it, as a transition would move secrets within it and leave copies.
#[derive(Clone, Copy)]
enum State {
    /// No attempt; all secrets of the handshake are zero.
    Idle,
    /// We sent an initiation with this index.
    InitiationSent { local: Index },
    /// We accepted an initiation of the remote, and have not answered it yet.
    InitiationReceived {
        ephemeral: PublicKey,
        remote: Index,
        /// Index of the attempt that the initiation replaced.
        stale: Option<Index>,
    },
    /// Our response is written.
    ResponseSent { local: Index, remote: Index },
    /// The remote's response was authentic.
    ResponseReceived { local: Index, remote: Index },
}

/// The handshake with one remote. The remote's keys and the guards against repeated initiations
/// outlive a single attempt.
pub struct Handshake {
    remote: Remote,
    state: State,
    /// Private key of the attempt.
    ephemeral: PrivateKey,
    symmetric: SymmetricState,
    /// Timestamp of our latest initiation.
    sent: Tai64N,
    /// Greatest timestamp of an accepted initiation.
    latest: Tai64N,
    /// When an initiation was last accepted.
    accepted: Option<u64>,
}

impl Handshake {
    /// Makes an idle handshake with the remote that has this public key.
    pub const fn new(remote: PublicKey) -> Self {
        Self {
            remote: Remote::new(remote),
            state: State::Idle,
            ephemeral: PrivateKey::zeroed(),
            symmetric: SymmetricState::zeroed(),
            sent: Tai64N::ZERO,
            latest: Tai64N::ZERO,
            accepted: None,
        }
    }

    /// Returns the remote.
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Returns the remote, to be changed.
    pub fn remote_mut(&mut self) -> &mut Remote {
        &mut self.remote
    }

    /// Returns the index that the attempt, or the one it replaced, still occupies: the index to
    /// free at its end.
    pub const fn local_index(&self) -> Option<Index> {
        match self.state {
            State::Idle => None,
            State::InitiationSent { local }
            | State::ResponseSent { local, .. }
            | State::ResponseReceived { local, .. } => Some(local),
            State::InitiationReceived { stale, .. } => stale,
        }
    }

    /// Ends the attempt and wipes its secrets, but keeps the remote. Returns the index to free.
    pub fn clear(&mut self) -> Option<Index> {
        let index = self.local_index();
        self.state = State::Idle;
        self.ephemeral.wipe();
        self.symmetric.wipe();
        index
    }
}
