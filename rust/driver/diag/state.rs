// SPDX-License-Identifier: GPL-2.0

//! Whether a peer has a session, or why it has none.

use super::facts::Ended;
use crate::peer::Peer;
use kext::{
    context::Bh,
    time, //
};
use wg_proto::timers::PeerTimer;

/// For how long a drop counts as trouble, in nanoseconds.
const RECENT: u64 = 180_000_000_000;

/// Whether a peer has a session, or why it has none. The numbers are those of the schema.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerState {
    Session = 0,
    InterfaceDown = 1,
    NoPrivateKey = 2,
    NoEndpoint = 3,
    Answered = 4,
    Waiting = 5,
    GivenUp = 6,
    Expired = 7,
    Reset = 8,
    Unused = 9,
}

impl PeerState {
    /// Returns the state of a peer; `has_identity` says whether the interface has a private key.
    pub(super) fn of(peer: &Peer, has_identity: bool, bh: &Bh<'_>) -> Self {
        let now = time::boottime_coarse();
        if !peer.device().is_running() {
            return Self::InterfaceDown;
        }
        if !has_identity {
            return Self::NoPrivateKey;
        }
        let current = peer.current(bh);
        let is_usable = |current: &crate::keypair::Keypair| {
            current.may_send() && !current.lifetime().is_expired(now)
        };
        if current.as_ref().is_some_and(|current| is_usable(current)) {
            return Self::Session;
        }
        if !peer.has_endpoint() {
            return Self::NoEndpoint;
        }
        if peer.next(bh).is_some_and(|next| is_usable(&next)) {
            return Self::Answered;
        }
        if peer.timers().is_pending(PeerTimer::RetransmitHandshake) {
            return Self::Waiting;
        }
        let ended = peer
            .diag()
            .facts(bh)
            .map_or(Ended::No, |facts| facts.ended());
        match ended {
            Ended::GaveUp => Self::GivenUp,
            Ended::Reset => Self::Reset,
            Ended::Expired => Self::Expired,
            Ended::No if current.is_some() => Self::Expired,
            Ended::No => Self::Unused,
        }
    }

    /// Returns whether a peer in this state has trouble.
    pub(super) fn is_trouble(self, peer: &Peer, bh: &Bh<'_>) -> bool {
        let wants = match self {
            Self::NoPrivateKey | Self::Answered | Self::GivenUp => true,
            // The first initiation may still be answered.
            Self::Session | Self::Waiting => peer.diag().facts(bh).is_some_and(|facts| {
                let is_awaited = peer.timers().is_pending(PeerTimer::RetransmitHandshake);
                facts.ended() == Ended::GaveUp || is_awaited && facts.tries() > 1
            }),
            Self::NoEndpoint => peer.persistent_keepalive() != 0,
            Self::InterfaceDown | Self::Expired | Self::Reset | Self::Unused => false,
        };
        wants
            || peer.diag().drop_counters(bh).is_some_and(|counters| {
                let start = time::boottime_coarse().saturating_sub(RECENT);
                counters.latest(start).is_some()
            })
    }
}
