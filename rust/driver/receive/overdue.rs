// SPDX-License-Identifier: GPL-2.0

//! The poll of packets that wait for a work item that does not run in time.

use super::next::Pause;
use crate::peer::Peer;
use kext::context::Bh;

/// Does what work items of the peer have not done in time. Returns whether the watchdog has to run
/// again.
pub(crate) fn do_overdue(peer: &Peer, bh: &Bh<'_>) -> bool {
    let Some(napi) = peer.device().data().napi(peer.napi_index(), bh) else {
        return false;
    };
    match napi.queue().claim_overdue(bh) {
        Pause::Ended => {
            napi.schedule(bh);
            false
        }
        Pause::GoesOn => true,
        Pause::No => false,
    }
}
