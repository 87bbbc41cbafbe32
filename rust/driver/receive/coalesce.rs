// SPDX-License-Identifier: GPL-2.0

//! Coalescing: single packets of a stream wait for others, so that GRO can merge them.

use crate::{
    peer::{
        Peer,
        COALESCE, //
    }, //
};
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::timer::Expired, //
};

/// How long packets wait, in nanoseconds: about as long as network cards delay interrupts.
const COALESCE_NS: u32 = 100_000;

/// Starts the timer that ends coalescing for a peer.
pub(super) fn start(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    peer.coalesce.start(peer, COALESCE_NS, bh);
}

impl Expired<COALESCE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let Some(napi) = this.device().data().napi(this.napi_index(), bh) else {
            return;
        };
        let Some(coalesced) = napi.queue().end_coalescing(bh) else {
            return;
        };
        if coalesced == 1 {
            // Nothing followed. The next packets are taken at once.
            this.rx().lock(bh).end_stream();
        }
        napi.schedule(bh);
    }
}
