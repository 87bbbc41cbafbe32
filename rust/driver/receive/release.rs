// SPDX-License-Identifier: GPL-2.0

//! Release of decrypted batches in order.

use super::{
    deliver::deliver,
    rx, //
};
use crate::{
    batch::RxBatch,
    device::Device,
    diag,
    drops::drop_for,
    parallel::reorder::{
        Job,
        Outcome, //
    },
    peer::Peer, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::Bh,
    net::napi::Gro,
    sync::rcu::RcuArc, //
};
use wg_proto::DropReason;

impl Drop for RxBatch {
    fn drop(&mut self) {
        // Only a batch that comes back after its interface went down still has packets.
        let n = usize_as_u64(self.packets.len());
        if n != 0 {
            let reason = drop_for(core::mem::take(&mut self.packets), DropReason::Gone);
            diag::count_drops(self.keypair.peer().device(), reason, n, None);
        }
    }
}

/// Completes a decrypted batch, and delivers ready batches. Returns how many packets these were.
pub(super) fn complete(
    peer: &RcuArc<Peer>,
    job: Job<RxBatch>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    let mut next = rx::complete(peer.rx(), job, bh);
    while let Some(outcome) = next {
        let mut taken: usize = 0;
        if let Outcome::Done(mut batch) = outcome {
            let packets = core::mem::take(&mut batch.packets);
            taken = batch.taken;
            work = work.saturating_add(packets.len());
            deliver(&batch.keypair, packets, gro, bh);
        }
        next = peer.rx().lock(bh).head_released(taken);
    }
    work
}
