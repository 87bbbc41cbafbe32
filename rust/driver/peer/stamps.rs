// SPDX-License-Identifier: GPL-2.0

//! What user space reads of the past of a peer.

use super::Peer;
use crate::diag::Learnt;
use kext::{
    context::Bh,
    time, //
};

/// What user space reads of the past of a peer.
pub(super) struct Stamps {
    /// Wall-clock time of the last handshake.
    handshake: (i64, u32),
    /// How the remote address was learnt.
    learnt: Learnt,
    /// When it was, in nanoseconds since boot.
    learnt_at: u64,
}

impl Stamps {
    /// Creates those of a peer without a past.
    pub(super) const fn new() -> Self {
        Self {
            handshake: (0, 0),
            learnt: Learnt::Not,
            learnt_at: 0,
        }
    }
}

impl Peer {
    /// Sets the wall-clock time of the last handshake.
    pub(crate) fn stamp_handshake(&self, now: (i64, u32), bh: &Bh<'_>) {
        self.stamps.lock(bh).handshake = now;
    }

    /// Returns the time of the last handshake, or zeros.
    pub(crate) fn last_handshake(&self, bh: &Bh<'_>) -> (i64, u32) {
        self.stamps.lock(bh).handshake
    }

    /// Notes how the remote address was learnt just now.
    pub(super) fn stamp_learnt(&self, how: Learnt, bh: &Bh<'_>) {
        let mut stamps = self.stamps.lock(bh);
        stamps.learnt = how;
        stamps.learnt_at = time::boottime_coarse();
    }

    /// Returns how the remote address was learnt, and when, in nanoseconds since boot.
    pub(crate) fn learnt(&self, bh: &Bh<'_>) -> (Learnt, u64) {
        let stamps = self.stamps.lock(bh);
        (stamps.learnt, stamps.learnt_at)
    }
}
