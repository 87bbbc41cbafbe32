// SPDX-License-Identifier: GPL-2.0

//! Which packets to a peer must not become GSO packets.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kext::net::route::GsoSupport;

/// Returns whether a packet has to leave alone; `is_tcp`: a TCP socket waits for it to leave.
#[inline]
pub(super) fn must_be_single(support: GsoSupport, is_tcp: bool) -> bool {
    match support {
        GsoSupport::Whole => false,
        GsoSupport::CutOnEnqueue => is_tcp,
        GsoSupport::Refused => true,
    }
}

/// What became of GSO packets on the route to a peer when that was last looked up.
pub(crate) struct Singles {
    are_cut: Atomic<bool>,
    are_refused: Atomic<bool>,
}

impl Singles {
    /// Creates the state of a peer whose route is not known.
    pub(crate) const fn new() -> Self {
        Self {
            are_cut: Atomic::new(false),
            are_refused: Atomic::new(false),
        }
    }

    /// Notes what becomes of GSO packets on the route.
    pub(crate) fn set(&self, support: GsoSupport) {
        self.are_cut
            .store(support == GsoSupport::CutOnEnqueue, Relaxed);
        self.are_refused
            .store(support == GsoSupport::Refused, Relaxed);
    }

    /// See [`must_be_single`].
    #[inline]
    pub(super) fn must_be(&self, is_tcp: bool) -> bool {
        self.are_refused.load(Relaxed) || is_tcp && self.are_cut.load(Relaxed)
    }
}
