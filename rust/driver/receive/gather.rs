// SPDX-License-Identifier: GPL-2.0

//! The timer for which single packets of a stream gather.

use crate::{
    peer::{
        Peer,
        GATHER, //
    }, //
};
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::timer::Expired, //
};

/// How long packets gather, in nanoseconds: about as long as network cards delay interrupts.
const GATHER_NS: u32 = 100_000;

/// Starts the timer that ends gathering in a peer's queue.
pub(super) fn start(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    peer.gather.start(peer, GATHER_NS, bh);
}

impl Expired<GATHER> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let Some(napi) = this.device().data().napi(this.napi_index(), bh) else {
            return;
        };
        let Some(gathered) = napi.queue().end_gathering(bh) else {
            return;
        };
        if gathered == 1 {
            // Nothing followed. The next packets are taken at once.
            this.rx().lock(bh).end_stream();
        }
        napi.schedule(bh);
    }
}
